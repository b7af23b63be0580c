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


def add(command_line: CommandLine) -> None:
    command = command_line.add(
        "broadcast", broadcast, "send a broadcast to all users, to operators, or to the members of conversations"
    )
    command.add_argument("title")
    command.add_argument("--text", required=True, help="the text of the broadcast")
    command.add_argument(
        "--to", nargs="+", default=["everybody"], help="everybody (default), operators, or ids of conversations"
    )
    command.add_argument("--at", type=_time, help="the time to send it, as in 2026-05-04T09:00:00Z (default: now)")
    command.add_argument("--mail", action="store_true", help="also send it by mail")
    command.add_argument("--mails-per-second", type=int, default=10, help="maximum rate of mails (10)")

    command = command_line.add("broadcasts", broadcasts, "list the newest broadcasts and the progress of their mails")
    command.add_argument("--cancel", type=UUID, metavar="ID", help="cancel this broadcast")


def broadcast(arguments: argparse.Namespace) -> int:
    from app.domain.broadcasts import queries, schedule

    is_group = arguments.to == ["everybody"] or arguments.to == ["operators"]
    try:
        conversations = [] if is_group else [UUID(one) for one in arguments.to]
    except ValueError:
        print("chat: --to must be everybody, operators, or ids of conversations.", file=sys.stderr)
        return 1

    async def plan(session: Session) -> Broadcast:
        broadcast_id = await schedule.plan(
            session,
            by=None,
            title=arguments.title,
            text=arguments.text,
            to=arguments.to[0] if is_group else "conversations",
            conversations=conversations,
            send_at=arguments.at,
            mail=arguments.mail,
            mails_per_second=arguments.mails_per_second,
        )
        return await queries.show(session, broadcast_id)

    return done(load_beside(), plan, _line)


def broadcasts(arguments: argparse.Namespace) -> int:
    from app.domain.broadcasts import queries, schedule

    async def listed(session: Session) -> list[Broadcast]:
        if arguments.cancel is not None:
            await schedule.cancel(session, arguments.cancel, by=None)
            return [await queries.show(session, arguments.cancel)]
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
