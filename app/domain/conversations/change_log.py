"""The change counter of the log: every durable change moves `position` by one, under the conversation's row lock.

The changed row takes the new position in the same transaction. Every position was therefore held by a row, and a
reader that requests all rows above P misses no change.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import func, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.conversations.models import Conversation
from app.domain.conversations.schemas import ConversationFacts, Member
from app.domain.events import ChangeType, LogChange, encode_data
from app.domain.orm import bucket_now


class LogStep(msgspec.Struct, frozen=True):
    """A change's place in the log, after `prev`. `edited` is the conversation's `edited_position` after the change."""

    position: int
    prev: int
    last_seq: int
    edited: int
    edited_before: int


async def move(
    session: AsyncSession,
    conversation: UUID,
    *,
    edited: int | None = None,
    **values: Any,
) -> LogStep:
    """Moves `position` by one. The caller holds the lock. `values` are further columns of the conversation to set.

    `edited` is the conversation's present `edited_position`, given when the change makes cached messages stale:
    `edited_position` then moves too. None leaves it.
    """
    following = Conversation.position + 1
    if edited is not None:
        values["edited_position"] = following
    row = (
        await session.execute(
            update(Conversation)
            .where(Conversation.id == conversation)
            .values(position=following, active_bucket=bucket_now(), **values)
            .returning(Conversation.position, Conversation.last_seq, Conversation.edited_position)
        )
    ).one()
    return LogStep(
        position=row.position,
        prev=row.position - 1,
        last_seq=row.last_seq,
        edited=row.edited_position,
        edited_before=row.edited_position if edited is None else edited,
    )


async def move_meta(session: AsyncSession, conversation: UUID, *, by: UUID | None, **values: Any) -> LogStep:
    """Moves `position` by one for a change of the conversation itself, which counts as activity."""
    return await move(
        session,
        conversation,
        meta_position=Conversation.position + 1,
        changed_by=by,
        updated_at=func.clock_timestamp(),
        **values,
    )


def view_change(
    event: ChangeType,
    view: Member | ConversationFacts,
    *,
    conversation: UUID,
    position: int,
    last_seq: int,
    edited: int,
    edited_before: int | None = None,
) -> LogChange:
    """The event for a change of a membership or of the conversation itself, which moved `position` to this value."""
    return LogChange(
        type=event,
        conversation=conversation,
        position=position,
        prev=position - 1,
        data=encode_data(view),
        last_seq=last_seq,
        edited=edited,
        edited_before=edited if edited_before is None else edited_before,
        subject=view.user.id if isinstance(view, Member) else None,
    )
