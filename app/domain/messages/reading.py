"""From message rows to views: the one reading of a message, shared by pages, changes, lists and replays.

Every column is labelled `message_…`, the sender's `sender_…`, so that a message can stand beside anything else in
one statement.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from app.domain.errors import NotFound
from app.domain.messages.models import MessageRow
from app.domain.rows import AnyRow
from app.domain.users.models import User
from app.domain.views import Message, Person

SENDER = aliased(User, name="sender")
"""Join it with `SENDER.id == MessageRow.sender_id`; every message has one."""

MESSAGE_COLUMNS = (
    MessageRow.id.label("message_id"),
    MessageRow.conversation_id.label("message_conversation"),
    MessageRow.seq.label("message_seq"),
    MessageRow.created_position.label("message_created_position"),
    MessageRow.position.label("message_position"),
    MessageRow.sender_id.label("message_sender"),
    MessageRow.message_type.label("message_type"),
    MessageRow.text.label("message_text"),
    MessageRow.media_url.label("message_media_url"),
    MessageRow.client_id.label("message_client_id"),
    MessageRow.reply_to.label("message_reply_to"),
    MessageRow.sent_at.label("message_sent_at"),
    MessageRow.updated_at.label("message_updated_at"),
    MessageRow.deleted_at.label("message_deleted_at"),
)
SENDER_COLUMNS = (
    SENDER.id.label("sender_id"),
    SENDER.first_name.label("sender_first_name"),
    SENDER.last_name.label("sender_last_name"),
)


def sender_of(row: AnyRow) -> Person:
    """The sender from `SENDER_COLUMNS`."""
    return Person(id=row.sender_id, first_name=row.sender_first_name, last_name=row.sender_last_name)


def as_message(row: AnyRow, person: Person | None = None) -> Message:
    """The view of `MESSAGE_COLUMNS`; `person` is the sender, by default read from `SENDER_COLUMNS`."""
    return Message(
        id=row.message_id,
        conversation=row.message_conversation,
        seq=row.message_seq,
        position=row.message_position,
        sent_by=person or sender_of(row),
        message_type=row.message_type,
        text=row.message_text,
        media_url=row.message_media_url,
        client_id=row.message_client_id,
        reply_to=row.message_reply_to,
        sent_at=row.message_sent_at,
        updated_at=row.message_updated_at,
        deleted_at=row.message_deleted_at,
    )


async def find(session: AsyncSession, conversation: UUID, message: UUID) -> AnyRow:
    """The row of one message, with its sender.

    Raises:
        NotFound: there is none with this id in this conversation (it may be one of another).
    """
    rows = await session.execute(
        select(*MESSAGE_COLUMNS, *SENDER_COLUMNS)
        .join(SENDER, SENDER.id == MessageRow.sender_id)
        .where(MessageRow.conversation_id == conversation, MessageRow.id == message)
    )
    row = rows.one_or_none()
    if row is None:
        raise NotFound("not_found", "There is no such message in this conversation.")
    return row
