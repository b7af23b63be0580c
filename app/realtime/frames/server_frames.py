"""The frames a server sends, each declared once: these structs are encoded, and the AsyncAPI document describes them.

A field whose value is JSON already takes `encoding.raw(…)` in place of its view.
"""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from app.domain.broadcasts.schemas import Announcement
from app.domain.conversations.schemas import ConversationFacts, Member, ReadState
from app.domain.inbox.schemas import ConversationSummary
from app.domain.messages.schemas import Message
from app.domain.notifications.schemas import Notification
from app.realtime.frames.client_frames import Ref

Reason = Literal["left", "removed", "deleted", "not_a_member", "hidden"]


class ServerFrame(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """`type` names the frame."""


class Answer(ServerFrame, frozen=True, kw_only=True):
    """`ref` is the `ref` of the client frame it answers, or null if that had none."""

    ref: Ref


class SocketLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of this socket. docs/limits.md describes what happens beyond each.

    A client may send `frames_per_second` and `bytes_per_second`, pings and pongs included, and both for
    `burst_seconds` at once. A frame has at most `frame_bytes`, a message `text_characters`. A `resume` names up to
    `resume_conversations`; a conversation with more than `resume_changes` missed is answered with `reset`. Up to
    `resumes` may be pending, with `resuming_conversations` in total. A user may have `sockets` per server process, send
    `typing_per_second`, and have `reads_per_second` stored. Typing, presence and other members' read marks are
    delivered in conversations of up to `small_members`. For a slow reader, up to `unread_bytes` and `unread_frames`
    are queued. `malformed_frames` within `malformed_seconds` close the socket.
    """

    frame_bytes: int
    text_characters: int
    resume_changes: int
    frames_per_second: int
    bytes_per_second: int
    burst_seconds: int
    resume_conversations: int
    resumes: int
    resuming_conversations: int
    sockets: int
    typing_per_second: int
    reads_per_second: int
    small_members: int
    unread_bytes: int
    unread_frames: int
    malformed_frames: int
    malformed_seconds: int


class Hello(ServerFrame, frozen=True, kw_only=True, tag="hello"):
    """The first frame: the 50 most recently active conversations, as in the list, with the text of `last_message` cut
    to 200 characters.

    `heartbeat` is in seconds. If `next` is true, the rest of the snapshot follows in `conversations` frames.
    """

    session: UUID
    user: UUID
    heartbeat: int
    limits: SocketLimits
    conversations: list[ConversationSummary]
    next: bool


class Conversations(ServerFrame, frozen=True, kw_only=True, tag="conversations"):
    """The next part of the snapshot of `hello`. If `next` is true, more follow."""

    conversations: list[ConversationSummary]
    next: bool


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


class MemberRead(ServerFrame, frozen=True, kw_only=True, tag="read"):
    """A member has read up to `seq`. May be lost; newest wins. Above 200 members only your own, from other devices."""

    conversation: UUID
    user: UUID
    seq: int


class MemberTyping(ServerFrame, frozen=True, kw_only=True, tag="typing"):
    """A member is typing, in a conversation of up to 200 members. Ends after `expires_in` seconds unless repeated."""

    conversation: UUID
    user: UUID
    expires_in: int


class MemberPresence(ServerFrame, frozen=True, kw_only=True, tag="presence"):
    """A member went online or offline, in a conversation of up to 200 members. May be lost."""

    conversation: UUID
    user: UUID
    online: bool


class NotificationFrame(Notification, frozen=True, kw_only=True, tag_field="type", tag="notification"):
    """Unread messages of one conversation, as in the list. A repeated `id` means that more were added."""


class BroadcastFrame(Announcement, frozen=True, kw_only=True, tag_field="type", tag="broadcast"):
    """An announcement by the operators. After a crash it may be delivered again with the same `id`."""


class AccessRevoked(ServerFrame, frozen=True, kw_only=True, tag="access.revoked"):
    """No more events of this conversation follow: drop it. `hidden`: you hid it, until it has a new message."""

    conversation: UUID
    reason: Reason


class SendAck(Answer, frozen=True, kw_only=True, tag="ack"):
    """The answer to `send`: the message as stored."""

    data: Message


class ReadAck(Answer, frozen=True, kw_only=True, tag="ack"):
    """The answer to `read`."""

    data: ReadState


class PresenceAck(msgspec.Struct, frozen=True, kw_only=True):
    """The members who are online, or null if that is unknown."""

    online: list[UUID] | None


class PresenceState(Answer, frozen=True, kw_only=True, tag="ack"):
    """The answer to `presence`."""

    data: PresenceAck


class AuthAck(Answer, frozen=True, kw_only=True, tag="ack"):
    """The answer to `auth`."""


class FrameFieldError(msgspec.Struct, frozen=True, kw_only=True):
    field: str
    message: str


class ErrorFrame(Answer, frozen=True, kw_only=True, tag="error"):
    """The frame was refused. `code` is one of the REST API or `malformed`; `errors` lists invalid fields, if any."""

    code: str
    detail: str
    errors: list[FrameFieldError] | UnsetType = UNSET


class ThrottledFrame(Answer, frozen=True, kw_only=True, tag="throttled"):
    """The limit of `policy` is exceeded and the frame had no effect. Wait `retry_after` seconds."""

    policy: str
    retry_after: int


class CaughtUp(Answer, frozen=True, kw_only=True, tag="caught_up"):
    """Completes a `resume`: your position in each conversation that you still have access to."""

    positions: dict[UUID, int]


class Reset(Answer, frozen=True, kw_only=True, tag="reset"):
    """Too many changes were missed, or the position does not exist yet: reload this conversation."""

    conversation: UUID


class Pong(Answer, frozen=True, kw_only=True, tag="pong"):
    """The answer to `ping`."""


SNAPSHOT = (Hello, Conversations)
DURABLE = (
    *(MessageCreated, MessageUpdated, MessageDeleted),
    *(ConversationCreated, ConversationUpdated, ConversationDeleted),
    *(MemberJoined, MemberAdded, MemberLeft, MemberRemoved, MemberPromoted, MemberDemoted, MemberUpdated),
)
CHANGE_FRAMES: dict[str, Any] = {str(frame.__struct_config__.tag): frame for frame in DURABLE}
"""The frame of each type of log change."""

EPHEMERAL = (MemberRead, MemberTyping, MemberPresence, NotificationFrame, BroadcastFrame, AccessRevoked)
ANSWERS = (SendAck, ReadAck, PresenceState, AuthAck, ErrorFrame, ThrottledFrame, CaughtUp, Reset, Pong)
PUSHED: tuple[type[msgspec.Struct], ...] = (*SNAPSHOT, *DURABLE, *EPHEMERAL, *ANSWERS)
"""Every frame a server sends."""

REPLIES: dict[str, tuple[type[msgspec.Struct], ...]] = {
    "send": (SendAck, ErrorFrame, ThrottledFrame),
    "read": (ReadAck, ErrorFrame, ThrottledFrame),
    "typing": (ErrorFrame,),
    "presence": (PresenceState, ErrorFrame, ThrottledFrame),
    "resume": (CaughtUp, Reset, AccessRevoked, ErrorFrame),
    "auth": (AuthAck, ErrorFrame),
    "ping": (Pong,),
}
"""The possible answers to each type of client frame. The events of a `resume` precede its answer."""
