"""`chat broadcast` and `chat broadcasts`: announce from the server's machine, and list broadcasts with their progress.

The API processes deliver broadcasts to their sockets; they poll every second.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from itertools import takewhile
from typing import TYPE_CHECKING, Any
from uuid import UUID

import rich_click as click

from app.cli.commands import FAILED, ChatCommand, command, complain, done, json_option, load_beside

if TYPE_CHECKING:
    from app.db import Session
    from app.domain.broadcasts.schemas import Broadcast
    from app.settings import Settings

LISTED = 20
GROUPS = ("everybody", "operators")


class Time(click.ParamType[datetime]):
    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"'{value}' is not a time; write it as 2026-05-04T09:00:00Z.", param, ctx)


class BroadcastCommand(ChatCommand):
    """Reads `--to ONE TWO`, several values after one option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, _repeated(args, "--to"))


def _repeated(arguments: Sequence[str], option: str) -> list[str]:
    """Writes `option A B` as `option A option B`."""
    made, at = list[str](), 0
    while at < len(arguments):
        made.append(arguments[at])
        at += 1
        if made[-1] == option:
            values = list(takewhile(lambda value: not value.startswith("-"), arguments[at:]))
            made += [word for value in values for word in (option, value)][1:]
            at += len(values)
    return made


@command(
    "broadcast",
    cls=BroadcastCommand,
    panel="Act",
    help="Send a broadcast to all users, to operators, or to the members of conversations.",
    examples=[
        'chat broadcast "Maintenance tonight" --text "Away from 22:00 to 22:10 UTC." --mail',
        'chat broadcast "Hello" --text "You are operators." --to operators --at 2026-05-04T09:00:00Z',
    ],
)
@click.argument("title", help="The title of the broadcast.")
@click.option("--text", required=True, help="The text of the broadcast.")
@click.option(
    "--to",
    multiple=True,
    default=["everybody"],
    metavar="WHOM…",
    help="everybody (default), operators, or ids of conversations.",
)
@click.option("--at", type=Time(), help="The time to send it, as in 2026-05-04T09:00:00Z (default: now).")
@click.option("--mail", is_flag=True, help="Also send it by mail.")
@click.option("--mails-per-second", type=int, default=10, show_default=True, help="Maximum rate of mails.")
@click.option("--yes", is_flag=True, help="Do not ask. Only a terminal is asked.")
@click.option("--dry-run", is_flag=True, help="Send nothing; show whom it would reach, and how many.")
@json_option
def broadcast(
    title: str,
    text: str,
    to: tuple[str, ...],
    at: datetime | None,
    mail: bool,
    mails_per_second: int,
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    from app.domain.broadcasts import queries, schedule

    is_group = len(to) == 1 and to[0] in GROUPS
    try:
        conversations = [] if is_group else [UUID(one) for one in to]
    except ValueError:
        complain("--to must be everybody, operators, or ids of conversations.")
        return FAILED

    async def plan(session: Session) -> Broadcast:
        broadcast_id = await schedule.plan(
            session,
            by=None,
            title=title,
            text=text,
            to=to[0] if is_group else "conversations",  # type: ignore[arg-type]  # one of GROUPS
            conversations=conversations,
            send_at=at,
            mail=mail,
            mails_per_second=mails_per_second,
        )
        return await queries.show(session, broadcast_id)

    settings = load_beside()
    if dry_run:
        return _preview(settings, plan, as_json=as_json)
    if sys.stdin.isatty() and not yes:
        if code := _preview(settings, plan, as_json=False):
            return code
        if not click.confirm("Send it?", err=True):
            complain("Nothing was sent.")
            return FAILED
    return done(settings, plan, _line, as_json=as_json)


def _preview(settings: Settings, plan: Callable[[Session], Awaitable[Broadcast]], *, as_json: bool) -> int:
    """Plans the broadcast, shows whom it would reach, and takes it back: what is refused later is refused here too."""
    from app.domain.broadcasts import audience

    async def planned(session: Session) -> dict[str, Any]:
        one = await plan(session)
        reached = await audience.size(session, one.id)
        await session.rollback()
        return {
            "to": one.to,
            "conversations": one.conversations,
            "users": reached,
            "send_at": one.send_at,
            "mail": one.mails is not None,
            "mails_per_second": one.mails_per_second,
        }

    def sentence(found: dict[str, Any]) -> str:
        number = len(found["conversations"])
        to = f"members of {number} conversation{'s' * (number != 1)}" if number else found["to"]
        mails = f", and as many mails, {found['mails_per_second']} a second" if found["mail"] else ""
        return f"To {to}: {found['users']:,} users who can log in{mails}, at {found['send_at']:%Y-%m-%d %H:%M} UTC."

    return done(settings, planned, sentence, as_json=as_json)


@command(
    "broadcasts",
    panel="Look",
    help=f"List the newest {LISTED} broadcasts and the progress of their mails.",
    examples=["chat broadcasts", "chat broadcasts --cancel 0199a7b0-7000-7000-8000-00000000002c"],
)
@click.option("--cancel", type=click.UUID, metavar="ID", help="Cancel this broadcast.")
@json_option
def broadcasts(cancel: UUID | None, as_json: bool) -> int:
    from app.domain.broadcasts import queries, schedule

    async def listed(session: Session) -> list[Broadcast]:
        if cancel is not None:
            await schedule.cancel(session, cancel, by=None)
            return [await queries.show(session, cancel)]
        return (await queries.listing(session, limit=LISTED, cursor=None)).items

    return done(
        load_beside(),
        listed,
        lambda found: "\n".join(map(_line, found)) or "There are no broadcasts.",
        as_json=as_json,
    )


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


COMMANDS = (broadcast, broadcasts)
