"""What a caller hears, in the order it happened. A conversation's own changes come once each, without a gap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from chat_client.rows import Broadcast, Conversation, Member, Message, Notification

What: TypeAlias = Literal["created", "updated", "deleted"]


@dataclass(frozen=True, slots=True)
class Connected:
    """Greeted: `chat.conversations` holds the newest 50, and soon the rest."""

    user: str


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The socket ended with `code` (1006: no good-bye). The next attempt comes in `pause` seconds."""

    code: int
    pause: float


@dataclass(frozen=True, slots=True)
class ConversationGiven:
    """A conversation that was not there before; what happens in it from now on is told."""

    conversation: Conversation


@dataclass(frozen=True, slots=True)
class ConversationChanged:
    """Name, privacy, creator, one's own role, or the name of the other in a direct one."""

    conversation: Conversation


@dataclass(frozen=True, slots=True)
class ConversationGone:
    """Nothing of it follows. `reason`: left, removed, deleted, not_a_member, hidden."""

    conversation: str
    reason: str


@dataclass(frozen=True, slots=True)
class MessageTold:
    """A message as it stands now. `what` is "updated" or "deleted" also when it is the first one hears of it."""

    what: What
    message: Message


@dataclass(frozen=True, slots=True)
class MemberTold:
    """A membership as it stands now. `what`: joined, added, left, removed, promoted, demoted, updated (a new name)."""

    what: str
    conversation: str
    member: Member


@dataclass(frozen=True, slots=True)
class ReadMoved:
    """`user` has read up to `seq`. Fleeting."""

    conversation: str
    user: str
    seq: int


@dataclass(frozen=True, slots=True)
class Typing:
    """Fleeting: it ends by itself after `expires_in` seconds."""

    conversation: str
    user: str
    expires_in: float


@dataclass(frozen=True, slots=True)
class Presence:
    """Fleeting."""

    conversation: str
    user: str
    online: bool


@dataclass(frozen=True, slots=True)
class Notified:
    """The same `id` again means that it grew."""

    notification: Notification


@dataclass(frozen=True, slots=True)
class Announced:
    """The operators' word to all. The same `id` again is the same, told twice after a crash."""

    broadcast: Broadcast


@dataclass(frozen=True, slots=True)
class GapFound:
    """Something was missed after `position`; it is asked for, and comes as events of its own."""

    conversation: str
    position: int


@dataclass(frozen=True, slots=True)
class Reset:
    """Too much was missed: the conversation was loaded anew, and what lies between is told by no event."""

    conversation: Conversation


@dataclass(frozen=True, slots=True)
class ThrottledFor:
    """A send waits `seconds` for the throttle `policy`, and is then sent again."""

    conversation: str
    policy: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Unknown:
    """A frame of a type this client does not know: a newer server's."""

    type: str


Event: TypeAlias = (
    Connected
    | Disconnected
    | ConversationGiven
    | ConversationChanged
    | ConversationGone
    | MessageTold
    | MemberTold
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
