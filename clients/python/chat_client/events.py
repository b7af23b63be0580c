"""The events of the client, in order. Each change of a conversation arrives once, without gaps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from chat_client.rows import Broadcast, Conversation, Member, Message, Notification

What: TypeAlias = Literal["created", "updated", "deleted"]


@dataclass(frozen=True, slots=True)
class Connected:
    """`hello` has arrived: `chat.conversations` holds the newest 50; the rest follow."""

    user: str


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The socket closed with `code` (1006: no close frame). The next attempt starts in `pause` seconds."""

    code: int
    pause: float


@dataclass(frozen=True, slots=True)
class ConversationAdded:
    """A conversation is new to this client; its changes follow as events."""

    conversation: Conversation


@dataclass(frozen=True, slots=True)
class ConversationChanged:
    """The name, privacy, creator or the user's own role changed, or the peer's name in a direct conversation."""

    conversation: Conversation


@dataclass(frozen=True, slots=True)
class ConversationRemoved:
    """No further events of this conversation follow. `reason`: left, removed, deleted, not_a_member, hidden."""

    conversation: str
    reason: str


@dataclass(frozen=True, slots=True)
class MessageChanged:
    """The current state of a message. `what` may be "updated" or "deleted" even if the message is new to the client."""

    what: What
    message: Message


@dataclass(frozen=True, slots=True)
class MemberChanged:
    """The current state of a membership. `what`: joined, added, left, removed, promoted, demoted, updated (renamed)."""

    what: str
    conversation: str
    member: Member


@dataclass(frozen=True, slots=True)
class ReadMoved:
    """`user` has read up to `seq`. Ephemeral: it may be lost."""

    conversation: str
    user: str
    seq: int


@dataclass(frozen=True, slots=True)
class Typing:
    """`user` is typing. Ephemeral: it expires after `expires_in` seconds."""

    conversation: str
    user: str
    expires_in: float


@dataclass(frozen=True, slots=True)
class Presence:
    """`user` went online or offline. Ephemeral: it may be lost."""

    conversation: str
    user: str
    online: bool


@dataclass(frozen=True, slots=True)
class Notified:
    """A notification is new or, if its `id` is known, covers more messages."""

    notification: Notification


@dataclass(frozen=True, slots=True)
class Announced:
    """A broadcast by the operators. A known `id` is a duplicate, delivered twice after a crash."""

    broadcast: Broadcast


@dataclass(frozen=True, slots=True)
class GapFound:
    """Changes after `position` were missed; the client requests them, and they arrive as events."""

    conversation: str
    position: int


@dataclass(frozen=True, slots=True)
class Reset:
    """Too many changes were missed: the conversation was reloaded, and the missed changes produce no events."""

    conversation: Conversation


@dataclass(frozen=True, slots=True)
class ThrottledFor:
    """A send was throttled by `policy`; it is retried after `seconds`."""

    conversation: str
    policy: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Unknown:
    """A frame of an unknown type, from a newer server."""

    type: str


Event: TypeAlias = (
    Connected
    | Disconnected
    | ConversationAdded
    | ConversationChanged
    | ConversationRemoved
    | MessageChanged
    | MemberChanged
    | ReadMoved
    | Typing
    | Presence
    | Notified
    | Announced
    | GapFound
    | Reset
    | ThrottledFor
    | Unknown
)
