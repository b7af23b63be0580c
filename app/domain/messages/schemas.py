"""The views of messages and of conversation changes that clients receive."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec

from app.domain.schemas import View
from app.domain.users.schemas import Person

MessageType = Literal["text", "image", "audio", "video"]


class Message(View, frozen=True, kw_only=True):
    """A message in its state at `position`. A deleted message keeps its `seq`, with empty `text` and `media_url`."""

    id: UUID
    conversation: UUID
    seq: int
    position: int
    sent_by: Person
    message_type: MessageType
    text: str
    media_url: str
    client_id: str | None
    reply_to: int | None
    sent_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


class SeenBy(View, frozen=True, kw_only=True):
    """The readers of a message: its sender, and members with `joined_seq < seq <= read_seq` (the first 50)."""

    count: int
    users: list[Person]


class MessageDetail(Message, frozen=True, kw_only=True):
    seen_by: SeenBy


class MessagePage(View, frozen=True, kw_only=True):
    """`items` by ascending `seq`; the conversation's `position` when read; `has_more` in the requested direction."""

    items: list[Message]
    position: int
    has_more: bool


class ChangePage(View, frozen=True, kw_only=True):
    """Changes after a position, as current rows. If `complete` is false, continue from `position`."""

    items: list[Change]
    position: int
    complete: bool


class Change(View, frozen=True, kw_only=True):
    """One changed row. `data` is a `Message`, `Member` or `ConversationFacts`, which the client upserts."""

    type: str
    position: int
    data: Annotated[
        msgspec.Raw,
        msgspec.Meta(description="The whole row as it stands now: a message, a member, or the conversation's facts."),
    ]
