"""In-app notifications: one open notification per user and conversation, extended as messages arrive; and its view."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import msgspec
from sqlalchemy import case, func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.conversations.models import Membership
from app.domain.notifications.models import NotificationRow
from app.domain.notifications.schemas import Notification
from app.domain.orm import AnyRow, uuid7


class NewNotice(msgspec.Struct, frozen=True):
    """A notification for one user's sockets, delivered after COMMIT."""

    user: UUID
    notification: Notification


class UnreadMember(NamedTuple):
    user_id: UUID
    unread_from: int
    """The seq up to which the member has read, or has been decided about."""
    mentioned: bool


COLUMNS = (
    NotificationRow.id,
    NotificationRow.conversation_id,
    NotificationRow.kind,
    NotificationRow.from_seq,
    NotificationRow.up_to_seq,
    NotificationRow.created_at,
    NotificationRow.updated_at,
    NotificationRow.read_at,
)


def as_notification(row: AnyRow, read_seq: int = 0) -> Notification:
    """Returns the view of a row of `COLUMNS`. It is read once it is marked as read or all its messages are read."""
    read_at: datetime | None = row.read_at
    return Notification(
        id=row.id,
        conversation=row.conversation_id,
        kind=row.kind,
        from_seq=row.from_seq,
        up_to_seq=row.up_to_seq,
        created_at=row.created_at,
        updated_at=row.updated_at,
        is_read=read_at is not None or read_seq >= row.up_to_seq,
    )


_FRESH = upsert(NotificationRow)
# Executed with a list of parameters: VALUES with many rows would be recompiled for each number of members.
_GROW = _FRESH.on_conflict_do_update(
    index_elements=["user_id", "conversation_id"],
    index_where=NotificationRow.read_at.is_(None),
    set_={
        "up_to_seq": _FRESH.excluded.up_to_seq,
        "kind": case((NotificationRow.kind == "mention", "mention"), else_=_FRESH.excluded.kind),
        "updated_at": func.clock_timestamp(),
    },
).returning(*COLUMNS, NotificationRow.user_id)


async def notify(session: AsyncSession, conversation: UUID, due: int, sent: list[UnreadMember]) -> list[NewNotice]:
    """Writes notifications of everything up to `due` for these members."""
    if not sent:
        return []
    users = [row.user_id for row in sent]
    # One lookup by key for each notification: with a join, a planner that expects few rows picks a nested loop.
    read_seq = (
        select(Membership.read_seq)
        .where(Membership.conversation_id == conversation, Membership.user_id == NotificationRow.user_id)
        .scalar_subquery()
    )
    # Closes open notifications whose messages have been read; the others are extended below.
    await session.execute(
        update(NotificationRow)
        .where(
            NotificationRow.conversation_id == conversation,
            NotificationRow.user_id.in_(users),
            NotificationRow.read_at.is_(None),
            NotificationRow.up_to_seq <= read_seq,
        )
        .values(read_at=func.clock_timestamp())
    )
    rows = [
        {
            "id": uuid7(),
            "user_id": row.user_id,
            "conversation_id": conversation,
            "kind": "mention" if row.mentioned else "unread",
            "from_seq": row.unread_from,
            "up_to_seq": due,
        }
        for row in sent
    ]
    return [NewNotice(row.user_id, as_notification(row)) for row in await session.execute(_GROW, rows)]
