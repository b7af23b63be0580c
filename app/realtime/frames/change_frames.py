"""The frames of log changes: one for each `ChangeType`. Each has a position; a client that missed it can resume.

A field whose value is JSON already takes `frame_encoder.raw(…)` in place of its view.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from app.domain.conversations.schemas import ConversationFacts, Member
from app.domain.inbox.schemas import ConversationSummary
from app.domain.messages.schemas import Message
from app.realtime.frames.server_frames import ServerFrame


class Durable(ServerFrame, frozen=True, kw_only=True):
    """A change of a conversation's log, to be upserted. `prev` is the position that it follows."""

    conversation: UUID
    position: int
    prev: int


class MessageCreated(Durable, frozen=True, kw_only=True, tag="message.created"):
    """A message was sent."""

    data: Message


class MessageUpdated(Durable, frozen=True, kw_only=True, tag="message.updated"):
    """A message was edited. The client may not have received the message before."""

    data: Message


class MessageDeleted(Durable, frozen=True, kw_only=True, tag="message.deleted"):
    """A message was deleted. It keeps its `seq`, with empty `text` and `media_url`."""

    data: Message


class ConversationCreated(Durable, frozen=True, kw_only=True, tag="conversation.created"):
    """Sent only to you, when you create, join or are added to a conversation, or when one you have hidden returns to
    your list. `data` is its entry in the list; `prev` is 0."""

    data: ConversationSummary


class ConversationUpdated(Durable, frozen=True, kw_only=True, tag="conversation.updated"):
    """The name, privacy or creator changed."""

    data: ConversationFacts


class ConversationDeleted(Durable, frozen=True, kw_only=True, tag="conversation.deleted"):
    """The conversation was deleted for all members."""

    data: ConversationFacts


class MemberJoined(Durable, frozen=True, kw_only=True, tag="member.joined"):
    """A user joined."""

    data: Member


class MemberAdded(Durable, frozen=True, kw_only=True, tag="member.added"):
    """A member was added by `data.by`."""

    data: Member


class MemberLeft(Durable, frozen=True, kw_only=True, tag="member.left"):
    """A member left at `data.left_at`."""

    data: Member


class MemberRemoved(Durable, frozen=True, kw_only=True, tag="member.removed"):
    """A member was removed by `data.by`."""

    data: Member


class MemberPromoted(Durable, frozen=True, kw_only=True, tag="member.promoted"):
    """A member became an admin."""

    data: Member


class MemberDemoted(Durable, frozen=True, kw_only=True, tag="member.demoted"):
    """A member is no longer an admin."""

    data: Member


class MemberUpdated(Durable, frozen=True, kw_only=True, tag="member.updated"):
    """A member changed their name."""

    data: Member


DURABLE = (
    *(MessageCreated, MessageUpdated, MessageDeleted),
    *(ConversationCreated, ConversationUpdated, ConversationDeleted),
    *(MemberJoined, MemberAdded, MemberLeft, MemberRemoved, MemberPromoted, MemberDemoted, MemberUpdated),
)
CHANGE_FRAMES: dict[str, Any] = {str(frame.__struct_config__.tag): frame for frame in DURABLE}
"""The frame of each type of log change."""
