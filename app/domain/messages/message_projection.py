"""From message rows to views: the one reading of a message, shared by pages, changes, lists and replays.

The columns have an order, by which they are read, and labels (`message_…`, the sender's `sender_…`), so that a message
can stand beside anything else in one statement.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from app.domain.errors import NotFound
from app.domain.events import LogChange, encode_data
from app.domain.messages.models import MessageRow
from app.domain.messages.schemas import Message
from app.domain.orm import AnyRow
from app.domain.users.models import User
from app.domain.users.schemas import Person

SENDER = aliased(User, name="sender")
"""Every message has one."""

MESSAGE_COLUMNS = (
    MessageRow.id.label("message_id"),
    MessageRow.conversation_id.label("message_conversation"),
    MessageRow.seq.label("message_seq"),
    MessageRow.position.label("message_position"),
    SENDER.id.label("sender_id"),
    SENDER.first_name.label("sender_first_name"),
    SENDER.last_name.label("sender_last_name"),
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
    """All messages with their senders; narrow it down."""
    return select(*MESSAGE_COLUMNS).select_from(MessageRow).join(SENDER, SENDER.id == MessageRow.sender_id)


def as_message(values: Iterable[Any]) -> Message:
    """The view of the values of `MESSAGE_COLUMNS`, by their places: to find them by label would be most of a page."""
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
        NotFound: there is none with this id in this conversation (it may be one of another).
    """
    rows = await session.execute(messages().where(MessageRow.conversation_id == conversation, MessageRow.id == message))
    row = rows.one_or_none()
    if row is None:
        raise NotFound("not_found", "There is no such message in this conversation.")
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
    """A change of a message, which stands at `message.position` now."""
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
