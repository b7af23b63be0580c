"""What its reader asks: the list, marking it read, how one wants to be told, and why one was told or not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

import msgspec
from sqlalchemy import and_, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.conversations.doors import open_door
from app.domain.conversations.models import Conversation, Membership, is_listed
from app.domain.cursors import from_cursor, to_cursor
from app.domain.errors import NotFound
from app.domain.messages.models import MessageRow
from app.domain.notifications.models import Decision, NotificationRow, Subscription
from app.domain.notifications.telling import COLUMNS, as_notification
from app.domain.rows import UNSYNCHRONIZED
from app.domain.texts import moment
from app.domain.users.callers import Caller
from app.domain.views import Attention, NotificationDecision, NotificationDecisions, NotificationPage

KEPT: Final = timedelta(days=90)
TRACES_KEPT: Final = timedelta(days=7)
MOST_SWEPT: Final = 10_000


class _At(msgspec.Struct, frozen=True, tag="notification"):
    id: UUID


async def listing(session: AsyncSession, caller: Caller, *, limit: int, cursor: str | None) -> NotificationPage:
    """The caller's notifications, newest first, of conversations that exist and are in their list.

    Raises:
        Invalid: the cursor is of another list.
    """
    after = from_cursor(cursor, _At)
    query = (
        select(*COLUMNS, Membership.read_seq)
        .join(
            Membership,
            and_(
                Membership.conversation_id == NotificationRow.conversation_id,
                Membership.user_id == NotificationRow.user_id,
                Membership.left_at.is_(None),
            ),
        )
        .join(
            Conversation,
            and_(Conversation.id == NotificationRow.conversation_id, Conversation.deleted_at.is_(None), is_listed()),
        )
        .where(NotificationRow.user_id == caller.user)
        .order_by(NotificationRow.id.desc())
        .limit(limit + 1)
    )
    if after is not None:
        query = query.where(NotificationRow.id < after.id)
    rows = (await session.execute(query)).all()
    items = [as_notification(row, row.read_seq) for row in rows[:limit]]
    return NotificationPage(items=items, next=to_cursor(_At(items[-1].id)) if len(rows) > limit else None)


async def mark_read(session: AsyncSession, caller: Caller, ids: Sequence[UUID] | None) -> None:
    """These notifications of the caller's, or all with None, are read; others' are passed over."""
    mine = [NotificationRow.user_id == caller.user, NotificationRow.read_at.is_(None)]
    if ids is not None:
        mine.append(NotificationRow.id.in_(ids))
    await session.execute(
        update(NotificationRow).where(*mine).values(read_at=func.clock_timestamp()), execution_options=UNSYNCHRONIZED
    )


async def attention(session: AsyncSession, caller: Caller, conversation: UUID) -> Attention:
    """How the caller wants to be told of a conversation. Raises as the door does."""
    await open_door(session, conversation, caller.user)
    row = (
        await session.execute(
            select(Subscription.level, Subscription.muted_until, Subscription.mails).where(
                Subscription.conversation_id == conversation, Subscription.user_id == caller.user
            )
        )
    ).one_or_none()
    if row is None:
        return Attention(level="all", muted_until=None, mails=True)
    return Attention(level=row.level, muted_until=row.muted_until, mails=row.mails)


async def attend(
    session: AsyncSession,
    caller: Caller,
    conversation: UUID,
    *,
    level: Literal["all", "mentions", "none"],
    muted_until: datetime | None,
    mails: bool,
) -> Attention:
    """Set it. A time that is over mutes nothing.

    Raises:
        Invalid: `muted_until` has no time zone. NotFound, Forbidden: as the door says.
    """
    if muted_until is not None:
        muted_until = moment(muted_until, "muted_until")
    await open_door(session, conversation, caller.user)
    values: dict[str, Any] = {"level": level, "muted_until": muted_until, "mails": mails}
    joined = select(Membership.joined_seq).where(
        Membership.conversation_id == conversation, Membership.user_id == caller.user
    )
    await session.execute(
        upsert(Subscription)
        .values(conversation_id=conversation, user_id=caller.user, decided_seq=joined.scalar_subquery(), **values)
        .on_conflict_do_update(index_elements=["conversation_id", "user_id"], set_=values)
    )
    return Attention(level=level, muted_until=muted_until, mails=mails)


async def decisions(session: AsyncSession, caller: Caller, conversation: UUID, message: UUID) -> NotificationDecisions:
    """Why the caller was told of this message, or was not, newest first. Raises as the door does, NotFound."""
    await open_door(session, conversation, caller.user)
    found = await session.execute(
        select(MessageRow.seq, MessageRow.sender_id).where(
            MessageRow.conversation_id == conversation, MessageRow.id == message
        )
    )
    row = found.one_or_none()
    if row is None:
        raise NotFound("not_found", "There is no such message.")
    if row.sender_id == caller.user:
        return NotificationDecisions(items=[])  # nobody is told of what they said
    seq = row.seq
    rows = await session.execute(
        select(Decision.channel, Decision.outcome, Decision.decided_at)
        .where(
            Decision.conversation_id == conversation,
            Decision.user_id == caller.user,
            Decision.from_seq < seq,
            Decision.up_to_seq >= seq,
        )
        .order_by(Decision.decided_at.desc(), Decision.id.desc())
        .limit(100)
    )
    return NotificationDecisions(
        items=[
            NotificationDecision(channel=row.channel, outcome=row.outcome, decided_at=row.decided_at) for row in rows
        ]
    )


async def sweep(session: AsyncSession) -> int:
    """Forget traces after a week and notifications after three months, at most 10,000 of each; how many."""
    gone = 0
    for row, when, kept in (
        (Decision, Decision.decided_at, TRACES_KEPT),
        (NotificationRow, NotificationRow.updated_at, KEPT),
    ):
        old = select(row.id).where(when < func.clock_timestamp() - kept).limit(MOST_SWEPT)
        deleted = await session.execute(
            delete(row).where(row.id.in_(old.with_for_update(skip_locked=True))).returning(row.id),
            execution_options=UNSYNCHRONIZED,
        )
        gone += len(deleted.all())
    return gone
