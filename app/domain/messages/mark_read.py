"""Marks messages as read by id: the cursor moves to the newest of them."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.conversations.access import check_access
from app.domain.conversations.read_cursors import move_cursor
from app.domain.conversations.schemas import ReadState
from app.domain.error_catalogue import message_not_found
from app.domain.messages.models import MessageRow


async def mark_read(session: AsyncSession, conversation: UUID, user: UUID, messages: Collection[UUID]) -> ReadState:
    """Marks these messages, and so all before the newest of them, as read by `user`.

    Raises:
        NotFound: as `check_access`, or one of them is not a message of this conversation.
        Forbidden: as `check_access`.
    """
    access = await check_access(session, conversation, user)
    wanted = set(messages)
    found = (
        await session.execute(
            select(func.count().label("number"), func.max(MessageRow.seq).label("newest")).where(
                MessageRow.conversation_id == conversation, MessageRow.id.in_(wanted)
            )
        )
    ).one()
    if found.number < len(wanted):
        raise message_not_found()
    return await move_cursor(session, access, found.newest or 0)
