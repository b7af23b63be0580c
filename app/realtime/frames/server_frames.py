"""The frames a server sends by itself, beside the changes of a log (`change_frames`) and the answers (`answer_frames`).

Each frame is declared once: these structs are encoded, and the AsyncAPI document describes them (`frame_catalogue`).
"""

from __future__ import annotations

from typing import Literal
from uuid import UUID

import msgspec

from app.domain.broadcasts.schemas import Announcement
from app.domain.inbox.schemas import ConversationSummary
from app.domain.notifications.schemas import Notification

Reason = Literal["left", "removed", "deleted", "not_a_member", "hidden"]


class ServerFrame(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """`type` names the frame."""


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


SNAPSHOT = (Hello, Conversations)
EPHEMERAL = (MemberRead, MemberTyping, MemberPresence, NotificationFrame, BroadcastFrame, AccessRevoked)
