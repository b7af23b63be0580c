"""The caller's notifications: listing them and marking them read; and the sweep of old rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import and_, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.conversations.models import Conversation, Membership, is_listed
from app.domain.cursors import IdKey, Keyset
from app.domain.notifications.in_app_notifications import COLUMNS, as_notification
from app.domain.notifications.models import NotificationDecisionRow, NotificationRow
from app.domain.notifications.schemas import NotificationPage
from app.domain.users.caller import Caller

RETENTION: Final = timedelta(days=90)
DECISION_RETENTION: Final = timedelta(days=7)
MAX_DELETED: Final = 10_000


_KEYSET = Keyset("notification", IdKey)


async def listing(session: AsyncSession, caller: Caller, *, limit: int, cursor: str | None) -> NotificationPage:
    """Returns the caller's notifications, newest first, of existing conversations that are in their list.

    Raises:
        Invalid: the cursor belongs to another list.
    """
    after = _KEYSET.key(cursor)
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
    shown, following = _KEYSET.page(rows, limit, lambda row: IdKey(row.id))
    return NotificationPage(items=[as_notification(row, row.read_seq) for row in shown], next=following)


async def mark_read(session: AsyncSession, caller: Caller, ids: Sequence[UUID] | None) -> None:
    """Marks these notifications of the caller as read, or all if `ids` is None. Skips those of other users."""
    mine = [NotificationRow.user_id == caller.user, NotificationRow.read_at.is_(None)]
    if ids is not None:
        mine.append(NotificationRow.id.in_(ids))
    await session.execute(update(NotificationRow).where(*mine).values(read_at=func.clock_timestamp()))


async def sweep(session: AsyncSession) -> int:
    """Deletes decisions after a week and notifications after 90 days, at most 10,000 each. Returns their number."""
    gone = 0
    for row, when, kept in (
        (NotificationDecisionRow, NotificationDecisionRow.decided_at, DECISION_RETENTION),
        (NotificationRow, NotificationRow.updated_at, RETENTION),
    ):
        old = select(row.id).where(when < func.clock_timestamp() - kept).limit(MAX_DELETED)
        deleted = await session.execute(
            delete(row).where(row.id.in_(old.with_for_update(skip_locked=True))).returning(row.id)
        )
        gone += len(deleted.all())
    return gone
