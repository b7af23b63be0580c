"""`chat mails`: the newest mails of the outbox, with their state. A settled mail has no address any more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import rich_click as click

from app.cli import output
from app.cli.commands import command, done, json_option, load_beside

if TYPE_CHECKING:
    from app.db import Session
    from app.domain.mails.schemas import MailRecord

COLUMNS: Final = (
    output.Column("created (UTC)", 16),
    output.Column("kind", 20),
    output.Column("state", 14),
    output.Column("attempts", 8, right=True),
    output.Column("next or settled", 16, gap=2),
    output.Column("address", gap=2),
)


@command(
    "mails",
    panel="Look",
    help="List the newest mails of the outbox with their state. Settled mails stay for a week, without the address.",
    examples=["chat mails", "chat mails --state postponed", "chat mails --to ada@example.org --json"],
)
@click.option("--to", metavar="EMAIL", help="Only mails to this address, or to the account that has it.")
@click.option(
    "--state",
    metavar="STATE",
    help="waiting, sending or postponed; sent, written, refused, failed, unknown; or another outcome.",
)
@click.option("--limit", type=click.IntRange(1, 1_000), default=20, show_default=True, help="How many at most.")
@json_option
def mails(to: str | None, state: str | None, limit: int, as_json: bool) -> int:
    from app.domain.errors import NotFound
    from app.domain.mails import queries
    from app.domain.users.queries import owner_of

    async def found(session: Session) -> list[MailRecord]:
        user = None
        if to is not None:
            try:
                user = await owner_of(session, to)
            except NotFound:  # an address may have mails without an account
                user = None
        return await queries.newest(session, address=to, user=user, state=state, limit=limit)

    def table(records: list[MailRecord]) -> output.Part:
        return output.Table(COLUMNS, [_row(one) for one in records]) if records else "There are no such mails."

    return done(load_beside(), found, table, as_json=as_json)


def _row(one: MailRecord) -> list[str]:
    at = one.settled_at or (one.due_at if one.state == "postponed" else None)
    return [
        f"{one.created_at:%Y-%m-%d %H:%M}",
        one.kind,
        one.state,
        str(one.attempts),
        f"{at:%Y-%m-%d %H:%M}" if at else "–",
        one.address or "–",
    ]


COMMANDS = (mails,)
