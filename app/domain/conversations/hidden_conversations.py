"""Hides a direct conversation from a member's own list until the next message.

The row stores the `last_seq` at that moment. The next message exceeds it, and so shows the conversation again in the
transaction that stores the message, without a further write. The other member is not notified.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain import events
from app.domain.conversations.access import lock_for_change
from app.domain.conversations.models import Membership
from app.domain.error_catalogue import not_in_groups
from app.domain.orm import bucket_now

NOT_HIDDEN = -1


async def set_hidden(session: AsyncSession, conversation: UUID, user: UUID, *, hidden: bool) -> None:
    """Hides a direct conversation from the list of `user`, or shows it again. Idempotent.

    Raises: as `lock_for_change`, and
        Conflict: `group`: a group is left, not hidden.
    """
    access = await lock_for_change(session, conversation, user)
    if access.kind != "direct":
        raise not_in_groups()
    if access.is_hidden != hidden:
        await _write(session, conversation, user, access.last_seq if hidden else NOT_HIDDEN)


async def show(session: AsyncSession, conversation: UUID, user: UUID) -> None:
    """Shows the conversation again if its member `user` has hidden it."""
    await _write(session, conversation, user, NOT_HIDDEN)


async def _write(session: AsyncSession, conversation: UUID, user: UUID, hidden_seq: int) -> None:
    turned = await session.scalar(
        update(Membership)
        .where(
            Membership.conversation_id == conversation,
            Membership.user_id == user,
            Membership.hidden_seq != hidden_seq,
        )
        .values(hidden_seq=hidden_seq, changed_bucket=bucket_now())
        .returning(Membership.user_id)
    )
    if turned is not None:
        events.record(session, events.ListTurned(conversation=conversation, user=user))
