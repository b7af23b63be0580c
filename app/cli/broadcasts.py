"""`chat broadcast` and `chat broadcasts`: announce from the server's machine, and list broadcasts with their progress.

The API processes deliver broadcasts to their sockets; they poll every second.
"""

from __future__ import annotations

import argparse
import sys
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from app.cli.commands import CommandLine, done, load_beside

if TYPE_CHECKING:
    from app.db import Session
    from app.domain.broadcasts.schemas import Broadcast

LISTED = 20


def add(verbs: CommandLine) -> None:
    verb = verbs.add("broadcast", broadcast, "announce something to everybody, to operators, or in conversations")
    verb.add_argument("title")
    verb.add_argument("--text", required=True, help="what is announced")
    verb.add_argument(
        "--to", nargs="+", default=["everybody"], help="everybody (which it is), operators, or ids of conversations"
    )
    verb.add_argument("--at", type=_time, help="when, as 2026-05-04T09:00:00Z (now)")
    verb.add_argument("--mail", action="store_true", help="by mail, too")
    verb.add_argument("--mails-per-second", type=int, default=10, help="no faster than this (10)")

    verb = verbs.add("broadcasts", broadcasts, "the newest broadcasts, and how far their mails are")
    verb.add_argument("--cancel", type=UUID, metavar="ID", help="tell nobody of this one any more")


def broadcast(asked: argparse.Namespace) -> int:
    from app.domain.broadcasts import queries, schedule

    words = asked.to == ["everybody"] or asked.to == ["operators"]
    try:
        named = [] if words else [UUID(one) for one in asked.to]
    except ValueError:
        print("chat: --to is everybody, operators, or ids of conversations.", file=sys.stderr)
        return 1

    async def plan(session: Session) -> Broadcast:
        made = await schedule.plan(
            session,
            by=None,
            title=asked.title,
            text=asked.text,
            to=asked.to[0] if words else "conversations",
            conversations=named,
            send_at=asked.at,
            mail=asked.mail,
            mails_per_second=asked.mails_per_second,
        )
        return await queries.show(session, made)

    return done(load_beside(), plan, _line)


def broadcasts(asked: argparse.Namespace) -> int:
    from app.domain.broadcasts import queries, schedule

    async def listed(session: Session) -> list[Broadcast]:
        if asked.cancel is not None:
            await schedule.cancel(session, asked.cancel, by=None)
            return [await queries.show(session, asked.cancel)]
        return (await queries.listing(session, limit=LISTED, cursor=None)).items

    return done(load_beside(), listed, lambda found: "\n".join(map(_line, found)) or "There are no broadcasts.")


def _line(one: Broadcast) -> str:
    to = one.to if one.to != "conversations" else f"{len(one.conversations)} conversations"
    when = (one.sent_at or one.send_at).isoformat(timespec="seconds")
    line = f"{one.id}  {one.state:8}  {when}  to {to}: {one.title}"
    if one.mails is None:
        return line
    mails = one.mails
    return line + (
        f"\n    mails: {mails.planned} planned, {mails.posted} posted, {mails.sent} sent, {mails.refused} refused,"
        f" {mails.unknown} unknown, {mails.dropped} dropped"
    )


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
