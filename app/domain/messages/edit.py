"""The sender may edit a message; the sender or an admin may delete it. A deleted message keeps its seq.

Both lock the conversation first, like a send, and move its `edited_position`, which makes cached pages stale.
"""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from sqlalchemy import func, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain import events
from app.domain.audit import log
from app.domain.conversations.access import Access, lock_for_change
from app.domain.conversations.change_log import LogStep, move
from app.domain.error_catalogue import (
    empty_edit,
    invalid_message,
    message_deleted,
    not_the_sender,
    sender_or_admin_only,
)
from app.domain.messages import message_projection
from app.domain.messages.content import EMPTY, checked_text, checked_url
from app.domain.messages.message_projection import as_message, find
from app.domain.messages.models import MessageRow
from app.domain.messages.schemas import Message
from app.domain.orm import AnyRow
from app.domain.users.caller import Caller


async def edit(
    session: AsyncSession,
    conversation: UUID,
    message: UUID,
    by: Caller,
    *,
    text: str | None = None,
    media_url: str | None = None,
) -> Message:
    """Replaces the text, or the URL, of the caller's own message.

    Raises:
        NotFound: no such conversation, or no such message in it.
        Forbidden: not a member; `not_the_sender`.
        Conflict: `deleted`.
        Invalid: the content does not fit the message's type, or is not valid.
    """
    access = await lock_for_change(session, conversation, by.user)
    row = await find(session, conversation, message)
    if row.sender_id != by.user:
        raise not_the_sender()
    if row.message_deleted_at is not None:
        raise message_deleted()
    content = _content(row.message_type, text, media_url)
    return await _change(session, access, row, "message.updated", by, **content)


async def delete(session: AsyncSession, conversation: UUID, message: UUID, by: Caller) -> None:
    """Empties a message permanently. Only the sender and admins may do so.

    Raises:
        NotFound: no such conversation, or no such message in it.
        Forbidden: not a member, or neither the sender nor an admin.
        Conflict: `deleted` already.
    """
    access = await lock_for_change(session, conversation, by.user)
    row = await find(session, conversation, message)
    if row.sender_id != by.user and not access.is_admin:
        raise sender_or_admin_only()
    if row.message_deleted_at is not None:
        raise message_deleted()
    await _change(session, access, row, "message.deleted", by, **EMPTY, deleted_at=func.clock_timestamp())
    if row.sender_id != by.user:
        facts = {"conversation": str(conversation), "message": str(message)}
        await log.record_action(session, by=by.user, action="message.deleted", subject=row.sender_id, details=facts)


def _content(message_type: str, text: str | None, media_url: str | None) -> dict[str, str]:
    if (text is None) == (media_url is None):
        raise empty_edit()
    if message_type == "text":
        if text is None:
            raise invalid_message(("media_url", "Must be left out of a text message."))
        return {"text": checked_text(text)}
    if media_url is None:
        raise invalid_message(("text", f"Must be left out of a message of type {message_type}."))
    return {"media_url": checked_url(media_url)}


async def _change(
    session: AsyncSession,
    access: Access,
    row: AnyRow,
    event: Literal["message.updated", "message.deleted"],
    by: Caller,
    **values: Any,
) -> Message:
    step: LogStep = await move(session, access.conversation, edited=access.edited_position)
    await session.execute(
        update(MessageRow)
        .where(MessageRow.conversation_id == access.conversation, MessageRow.seq == row.message_seq)
        .values(position=step.position, changed_by=by.user, updated_at=func.clock_timestamp(), **values)
    )
    message = as_message(await find(session, access.conversation, row.message_id))
    change = message_projection.message_change(
        event,
        message,
        prev=step.prev,
        last_seq=step.last_seq,
        edited=step.edited,
        edited_before=step.edited_before,
    )
    events.record(session, change)
    return message
