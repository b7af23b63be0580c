"""Drafts of messages, written shortly."""

from __future__ import annotations

from uuid import UUID

from app.domain.messages import send
from app.domain.messages.content import MessageBody
from app.domain.messages.schemas import MessageType
from app.domain.messages.send import Draft
from app.domain.users.caller import Caller


def draft(
    conversation: UUID,
    by: Caller,
    message_type: MessageType,
    text: str | None = None,
    media_url: str | None = None,
    client_id: str | None = None,
    reply_to: int | None = None,
) -> Draft:
    """A checked draft of `by`."""
    body = MessageBody(
        message_type=message_type, text=text, media_url=media_url, client_id=client_id, reply_to=reply_to
    )
    return send.draft(conversation, by, body)
