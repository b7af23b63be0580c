"""Plans broadcasts, for now or later, and cancels them: operator actions, recorded in the audit log."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.audit import log
from app.domain.broadcasts.models import BroadcastRow
from app.domain.broadcasts.publish import send
from app.domain.broadcasts.schemas import Audience
from app.domain.conversations.models import Conversation
from app.domain.error_catalogue import already_canceled, broadcast_not_found, too_many_broadcasts, unknown_conversation
from app.domain.orm import uuid7
from app.domain.size_limits import MAX_SCHEDULED_BROADCASTS
from app.domain.validation import Faults, clean, clean_name, field_error, to_utc

MAX_TITLE_LENGTH: Final = 200
MAX_TEXT_LENGTH: Final = 8_000
MAX_CONVERSATIONS: Final = 50
"""Broadcasts waiting for their send time."""

DELIVERY_PERIOD: Final = timedelta(days=30)
MAX_AHEAD: Final = timedelta(days=365)
SLOWEST, FASTEST, USUAL = 1, 1_000, 10
"""Mails per second."""


async def plan(
    session: AsyncSession,
    *,
    by: UUID | None,
    title: str,
    text: str,
    to: Audience,
    conversations: Sequence[UUID] = (),
    send_at: datetime | None = None,
    expires_at: datetime | None = None,
    mail: bool = False,
    mails_per_second: int = USUAL,
) -> UUID:
    """Creates a broadcast, sent at `send_at` or, without it, in this transaction. Returns its id.

    Users who connect before `expires_at` (default: 30 days after sending) receive it too. `by` is None for a command.

    Raises:
        Invalid: a field is invalid, or `unknown_conversation`.
        Conflict: `too_many_broadcasts` wait for their send time.
    """
    faults = Faults()
    with faults:
        title = clean_name(title, "title", MAX_TITLE_LENGTH)
    with faults:
        text = clean(text, "text", MAX_TEXT_LENGTH)
    with faults:
        _check_rate(mails_per_second)
    faults.raise_all()
    named = await _check_audience(session, to, conversations)
    start, end = await _times(session, send_at, expires_at)
    if send_at is not None:
        await _require_room(session)
    made = await session.execute(
        insert(BroadcastRow)
        .values(
            id=uuid7(),
            title=title,
            text=text,
            audience=to,
            conversations=named,
            created_by=by,
            send_at=start,
            expires_at=end,
            mail=mail,
            mails_per_second=mails_per_second,
        )
        .returning(BroadcastRow.id, BroadcastRow.mail)
    )
    row = made.one()
    facts = {"to": to, "mail": mail, "send_at": start.isoformat()}
    await log.record_action(session, by=by, action="broadcast.planned", subject=row.id, details=facts)
    if send_at is None:
        await send(session, row)
    broadcast: UUID = row.id
    return broadcast


async def cancel(session: AsyncSession, broadcast: UUID, *, by: UUID | None) -> None:
    """Stops all delivery: no socket receives it, no more mails are queued, and unclaimed mails are dropped.

    Raises:
        NotFound: there is no such broadcast.
        Conflict: `already_canceled`.
    """
    canceled = await session.scalar(
        update(BroadcastRow)
        .where(BroadcastRow.id == broadcast, BroadcastRow.canceled_at.is_(None))
        .values(canceled_at=func.clock_timestamp(), mails_due_at=None)
        .returning(BroadcastRow.id)
    )
    if canceled is None:
        if await session.scalar(select(BroadcastRow.id).where(BroadcastRow.id == broadcast)) is None:
            raise broadcast_not_found()
        raise already_canceled()
    await log.record_action(session, by=by, action="broadcast.canceled", subject=broadcast)


def _check_rate(mails_per_second: int) -> None:
    if not SLOWEST <= mails_per_second <= FASTEST:
        raise field_error("mails_per_second", f"Must be between {SLOWEST} and {FASTEST:,}.")


async def _check_audience(session: AsyncSession, to: Audience, conversations: Sequence[UUID]) -> list[UUID]:
    """Returns the given conversations, deduplicated. Only the audience `conversations` may name any."""
    named = sorted(set(conversations))
    if (to == "conversations") is not bool(named):
        raise field_error("conversations", "Must be given when `to` is conversations, and only then.")
    if len(named) > MAX_CONVERSATIONS:
        raise field_error("conversations", f"Must have at most {MAX_CONVERSATIONS} items.")
    if named:
        existing = await session.scalars(
            select(Conversation.id).where(Conversation.id.in_(named), Conversation.deleted_at.is_(None))
        )
        if missing := set(named) - set(existing):
            field = ("conversations", f"Must exist: {min(missing)} does not.")
            raise unknown_conversation(field)
    return named


async def _times(
    session: AsyncSession, send_at: datetime | None, expires_at: datetime | None
) -> tuple[datetime, datetime]:
    now: datetime = (await session.execute(select(func.clock_timestamp()))).scalar_one()
    start = now
    if send_at is not None:
        start = to_utc(send_at, "send_at")
        if start < now:
            raise field_error("send_at", "Must not be in the past.")
        if start > now + MAX_AHEAD:
            raise field_error("send_at", f"Must be at most {MAX_AHEAD.days} days ahead.")
    if expires_at is None:
        return start, start + DELIVERY_PERIOD
    end = to_utc(expires_at, "expires_at")
    if not start < end <= start + MAX_AHEAD:
        raise field_error("expires_at", f"Must be after it is sent, by at most {MAX_AHEAD.days} days.")
    return start, end


async def _require_room(session: AsyncSession) -> None:
    waiting = await session.scalar(
        select(func.count())
        .select_from(BroadcastRow)
        .where(BroadcastRow.number.is_(None), BroadcastRow.canceled_at.is_(None))
    )
    if (waiting or 0) >= MAX_SCHEDULED_BROADCASTS:
        raise too_many_broadcasts()
