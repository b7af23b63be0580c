"""Turns message rows into views, for pages, changes, lists and replays.

The columns are read by their order. Their labels (`message_…`, the sender's `sender_…`) keep them distinct beside
other columns in one statement.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Select, func, select, true
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from app.domain.conversations.conversation_projection import left_names
from app.domain.error_catalogue import message_not_found
from app.domain.events import LogChange, encode_data
from app.domain.messages.models import MessageRow
from app.domain.messages.schemas import Message
from app.domain.orm import AnyRow
from app.domain.users.models import User
from app.domain.users.schemas import Person

SENDER = aliased(User, name="sender")
"""The sender of a message. Every message has one."""

SENDER_ON_LEAVING = left_names(MessageRow.conversation_id, SENDER.id, "sender_on_leaving")
SENDER_FIRST_NAME = func.coalesce(SENDER_ON_LEAVING.c.first_name, SENDER.first_name)
SENDER_LAST_NAME = func.coalesce(SENDER_ON_LEAVING.c.last_name, SENDER.last_name)
"""The name of the sender in the conversation of the message."""

MESSAGE_COLUMNS = (
    MessageRow.id.label("message_id"),
    MessageRow.conversation_id.label("message_conversation"),
    MessageRow.seq.label("message_seq"),
    MessageRow.position.label("message_position"),
    SENDER.id.label("sender_id"),
    SENDER_FIRST_NAME.label("sender_first_name"),
    SENDER_LAST_NAME.label("sender_last_name"),
    MessageRow.message_type.label("message_type"),
    MessageRow.text.label("message_text"),
    MessageRow.media_url.label("message_media_url"),
    MessageRow.client_id.label("message_client_id"),
    MessageRow.reply_to.label("message_reply_to"),
    MessageRow.sent_at.label("message_sent_at"),
    MessageRow.updated_at.label("message_updated_at"),
    MessageRow.deleted_at.label("message_deleted_at"),
)
"""In the order of `as_message`."""


def messages() -> Select[*tuple[object, ...]]:
    """All messages with their senders. Callers add conditions."""
    return with_sender(select(*MESSAGE_COLUMNS).select_from(MessageRow))


def with_sender(statement: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    """Joins the sender, with both names, to a statement that selects from `MessageRow`."""
    return statement.join(SENDER, SENDER.id == MessageRow.sender_id).outerjoin(SENDER_ON_LEAVING, true())


def as_message(values: Iterable[Any]) -> Message:
    """The view of the values of `MESSAGE_COLUMNS`, by index: reading by label would take most of a page's time."""
    (
        id_, conversation, seq, position, sender, first_name, last_name,
        message_type, text, media_url, client_id, reply_to, sent_at, updated_at, deleted_at,
    ) = values  # fmt: skip
    return Message(
        id=id_,
        conversation=conversation,
        seq=seq,
        position=position,
        sent_by=Person(id=sender, first_name=first_name, last_name=last_name),
        message_type=message_type,
        text=text,
        media_url=media_url,
        client_id=client_id,
        reply_to=reply_to,
        sent_at=sent_at,
        updated_at=updated_at,
        deleted_at=deleted_at,
    )


async def find(session: AsyncSession, conversation: UUID, message: UUID) -> AnyRow:
    """The row of one message, with its sender.

    Raises:
        NotFound: this conversation has no message with this id (another one may have it).
    """
    rows = await session.execute(messages().where(MessageRow.conversation_id == conversation, MessageRow.id == message))
    row = rows.one_or_none()
    if row is None:
        raise message_not_found()
    return row


def message_change(
    event: Literal["message.created", "message.updated", "message.deleted"],
    message: Message,
    *,
    prev: int,
    last_seq: int,
    edited: int,
    edited_before: int,
    shown: tuple[UUID, ...] = (),
) -> LogChange:
    """The event for a change of a message, which is now at `message.position`."""
    return LogChange(
        type=event,
        conversation=message.conversation,
        position=message.position,
        prev=prev,
        data=encode_data(message),
        last_seq=last_seq,
        seq=message.seq,
        edited=edited,
        edited_before=edited_before,
        shown=shown,
    )
