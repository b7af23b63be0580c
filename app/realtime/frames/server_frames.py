"""What a server says on a socket: every frame there is, declared once. The AsyncAPI document is made of these.

Frames that a thousand sockets get are put together from ready bytes where they are made (`Change.frame`, `Typing.frame`
…), because encoding a struct for each would cost; tests hold those bytes against what is declared here.
"""

from __future__ import annotations

from typing import Literal
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
    """`type` says which it is."""


class Answer(ServerFrame, frozen=True, kw_only=True):
    """`ref` is that of the frame it answers, null where that had none."""

    ref: Ref


class SocketLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What may be done on this socket. docs/limits.md says what happens beyond each.

    A client may send `frames_per_second` and `bytes_per_second`, pings and pongs included, and up to `burst_seconds`'
    worth of both at once; a frame holds up to `frame_bytes`. A `resume` names up to `resume_conversations`, of which
    each may have missed `resume_changes`; `resumes`
    may be under way, of `resuming_conversations` together. A user may have `sockets`, send
    `typing_per_second`, and have `reads_per_second` stored. Typing, presence and others' read marks are told in
    conversations of up to `small_members`. Behind a slow reader up to `unread_bytes` and `unread_frames` wait. Of
    frames that make no sense, `malformed_frames` within `malformed_seconds` end the socket.
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
    """The first frame: the newest 50 conversations, as in the list, the text of `last_message` cut to 200 characters.

    `heartbeat` is in seconds. With `next` the rest of the same snapshot follows in `conversations` frames.
    """

    session: UUID
    user: UUID
    heartbeat: int
    limits: SocketLimits
    conversations: list[ConversationSummary]
    next: bool


class Conversations(ServerFrame, frozen=True, kw_only=True, tag="conversations"):
    """More of the snapshot of `hello`; with `next` not the last."""

    conversations: list[ConversationSummary]
    next: bool


class Durable(ServerFrame, frozen=True, kw_only=True):
    """A change of a conversation's log, to be upserted. `prev` is the position it follows on."""

    conversation: UUID
    position: int
    prev: int


class MessageCreated(Durable, frozen=True, kw_only=True, tag="message.created"):
    """A message was sent."""

    data: Message


class MessageUpdated(Durable, frozen=True, kw_only=True, tag="message.updated"):
    """A message was edited. It may be the first one hears of it."""

    data: Message


class MessageDeleted(Durable, frozen=True, kw_only=True, tag="message.deleted"):
    """A message was deleted: it keeps its place, with empty `text` and `media_url`."""

    data: Message


class ConversationCreated(Durable, frozen=True, kw_only=True, tag="conversation.created"):
    """To you alone, when you create, join or are added, or when a conversation you have hidden is in your list again:
    the line of the list. `prev` is 0."""

    data: ConversationSummary


class ConversationUpdated(Durable, frozen=True, kw_only=True, tag="conversation.updated"):
    """Name, privacy or creator changed."""

    data: ConversationFacts


class ConversationDeleted(Durable, frozen=True, kw_only=True, tag="conversation.deleted"):
    """The conversation is closed for all."""

    data: ConversationFacts


class MemberJoined(Durable, frozen=True, kw_only=True, tag="member.joined"):
    """Somebody joined by themselves."""

    data: Member


class MemberAdded(Durable, frozen=True, kw_only=True, tag="member.added"):
    """Somebody was added, by `data.by`."""

    data: Member


class MemberLeft(Durable, frozen=True, kw_only=True, tag="member.left"):
    """Somebody left, at `data.left_at`."""

    data: Member


class MemberRemoved(Durable, frozen=True, kw_only=True, tag="member.removed"):
    """Somebody was removed, by `data.by`."""

    data: Member


class MemberPromoted(Durable, frozen=True, kw_only=True, tag="member.promoted"):
    """Somebody is an admin now."""

    data: Member


class MemberDemoted(Durable, frozen=True, kw_only=True, tag="member.demoted"):
    """Somebody is no admin any more."""

    data: Member


class MemberUpdated(Durable, frozen=True, kw_only=True, tag="member.updated"):
    """Somebody goes by another name."""

    data: Member


class MemberRead(ServerFrame, frozen=True, kw_only=True, tag="read"):
    """Somebody has read so far. Fleeting; newest wins. Above 200 members only one's own, from other devices."""

    conversation: UUID
    user: UUID
    seq: int


class MemberTyping(ServerFrame, frozen=True, kw_only=True, tag="typing"):
    """Somebody types, for `expires_in` seconds unless it is said again, in a conversation of up to 200 members."""

    conversation: UUID
    user: UUID
    expires_in: int


class MemberPresence(ServerFrame, frozen=True, kw_only=True, tag="presence"):
    """Somebody came online or went, in a conversation of up to 200 members. Fleeting."""

    conversation: UUID
    user: UUID
    online: bool


class NotificationFrame(Notification, frozen=True, kw_only=True, tag_field="type", tag="notification"):
    """As in the list: unread messages of one conversation. The same `id` again means that it grew."""


class BroadcastFrame(Announcement, frozen=True, kw_only=True, tag_field="type", tag="broadcast"):
    """Operators announce something. After a crash it may be told again with the same `id`."""


class AccessRevoked(ServerFrame, frozen=True, kw_only=True, tag="access.revoked"):
    """Nothing of this conversation follows: drop it. `hidden`: by oneself, until something is said in it."""

    conversation: UUID
    reason: Reason


class SendAck(Answer, frozen=True, kw_only=True, tag="ack"):
    """The answer to `send`: the message as it is stored."""

    data: Message


class ReadAck(Answer, frozen=True, kw_only=True, tag="ack"):
    """The answer to `read`."""

    data: ReadState


class PresenceAck(msgspec.Struct, frozen=True, kw_only=True):
    """Who is online; null when nobody knows."""

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
    """Refused, with a code of the REST API or `malformed`. `errors` names fields, where some are at fault."""

    code: str
    detail: str
    errors: list[FrameFieldError] | UnsetType = UNSET


class ThrottledFrame(Answer, frozen=True, kw_only=True, tag="throttled"):
    """Too many for `policy`: nothing was done. Wait `retry_after` seconds."""

    policy: str
    retry_after: int


class CaughtUp(Answer, frozen=True, kw_only=True, tag="caught_up"):
    """The end of a `resume`: where one stands in each conversation that is still one's own."""

    positions: dict[UUID, int]


class Reset(Answer, frozen=True, kw_only=True, tag="reset"):
    """Too much was missed, or the position is from the future: load this conversation anew."""

    conversation: UUID


class Pong(Answer, frozen=True, kw_only=True, tag="pong"):
    """The answer to `ping`."""


SNAPSHOT = (Hello, Conversations)
DURABLE = (
    *(MessageCreated, MessageUpdated, MessageDeleted),
    *(ConversationCreated, ConversationUpdated, ConversationDeleted),
    *(MemberJoined, MemberAdded, MemberLeft, MemberRemoved, MemberPromoted, MemberDemoted, MemberUpdated),
)
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
"""What may answer a frame of the client, by its type. The events that a `resume` brings come between."""
