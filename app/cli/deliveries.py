"""`chat mails` and `chat trace`: what became of a mail, and of a message.

A settled mail has no address any more, and a trace has no text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import rich_click as click

from app.cli import output
from app.cli.commands import command, done, json_option, load_beside

if TYPE_CHECKING:
    from uuid import UUID

    from app.db import Session
    from app.domain.mails.schemas import MailRecord
    from app.domain.operators.schemas import MessageTrace, TraceRecipient

COLUMNS: Final = (
    output.Column("created (UTC)", 16),
    output.Column("kind", 20),
    output.Column("state", 14),
    output.Column("attempts", 8, right=True),
    output.Column("next or settled", 16, gap=2),
    output.Column("address", gap=2),
)

MEMBERS: Final = (
    output.Column("member", 24),
    output.Column("read", 4),
    output.Column("id", 36, gap=2),
    output.Column("notification (UTC)", gap=2),
)
CACHED: Final = {
    "held": "yes, as it stands",
    "missing": "no: the cache has nothing of this conversation",
    "unproven": "no: the cache does not prove that it is current",
    "beyond": "no: the cache keeps newer messages only",
    "away": "unknown: Redis does not answer",
}


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


@command(
    "trace",
    panel="Look",
    help="Show what became of a message: its place in the log, the cache, who has read it, and who was notified.",
    examples=[
        "chat trace 0199a7b0-7000-7000-8000-00000000002c",
        "chat trace 0199a7b0-7000-7000-8000-00000000002c --json",
    ],
)
@click.argument("id", type=click.UUID, help="The message.")
@click.option("--conversation", type=click.UUID, metavar="ID", help="Its conversation, if it is known: faster.")
@click.option("--limit", type=click.IntRange(1, 100), default=50, show_default=True, help="How many members at most.")
@click.option("--cursor", metavar="NEXT", help="The `next` of a page of members, for the page after it.")
@json_option
def trace(id: UUID, conversation: UUID | None, limit: int, cursor: str | None, as_json: bool) -> int:  # noqa: A002 - click names it for the user
    from app.redis.client import RedisClient
    from app.store.message_traces import MessageTraces
    from app.store.page_cache import PageCache

    settings = load_beside()

    async def found(session: Session) -> MessageTrace:
        redis = RedisClient(settings.cache_redis_url)
        try:
            traces = MessageTraces(redis, PageCache(max_messages=settings.cache_messages))
            return await traces.trace(session, None, id, conversation=conversation, limit=limit, cursor=cursor)
        finally:
            await redis.close()

    return done(settings, found, _trace, as_json=as_json)


def _trace(found: MessageTrace) -> list[output.Part]:
    facts = [
        ("message", f"{found.id}, {found.message_type}, seq {found.seq:,} of the {found.kind} {found.conversation}"),
        ("sender", f"{found.sent_by.first_name} {found.sent_by.last_name} ({found.sent_by.id})"),
        (
            "committed",
            f"yes, written at {found.sent_at:%Y-%m-%d %H:%M:%S.%f} UTC as position {found.created_position:,}",
        ),
        ("changed", _changed(found)),
        ("published", "not recorded; a process that misses an event reads it from Postgres within a second"),
        ("cached", CACHED[found.cached]),
        ("read", f"by {found.readers:,} of {found.recipients:,} members"),
        ("notified", f"decided for all but {found.undecided:,}" if found.undecided else "decided for all"),
    ]
    parts: list[output.Part] = [output.Table([output.Column("", 10), output.Column("")], [list(one) for one in facts])]
    if found.members.items:
        parts += ["", output.Table(MEMBERS, [_member(one) for one in found.members.items])]
    if found.members.next:
        parts += ["", f"More members follow: --cursor {found.members.next}"]
    return parts


def _changed(found: MessageTrace) -> str:
    if found.deleted_at:
        return f"deleted at {found.deleted_at:%Y-%m-%d %H:%M:%S} UTC, position {found.position:,}"
    if found.position == found.created_position:
        return "never"
    return f"at {found.updated_at:%Y-%m-%d %H:%M:%S} UTC, position {found.position:,}"


def _member(one: TraceRecipient) -> list[str]:
    decided = "; ".join(
        f"{each.channel}: {each.outcome} ({each.decided_at:%Y-%m-%d %H:%M})" for each in one.decisions
    ) or ("decided, older than a week" if one.decided else "left" if one.left_at else "not decided yet")
    name = f"{one.user.first_name} {one.user.last_name}"
    return [name, "yes" if one.read else "no", str(one.user.id), decided]


COMMANDS = (mails, trace)
