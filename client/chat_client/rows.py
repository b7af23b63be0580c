"""Rows as the server tells them, typed. What a newer server adds is left out, so that it breaks nobody."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeVar

Json = dict[str, Any]
Row = TypeVar("Row", bound="Person | Message | Member | Notification | Broadcast | Conversation")

MessageType = Literal["text", "image", "audio", "video"]


@dataclass(frozen=True, slots=True)
class Person:
    id: str
    first_name: str
    last_name: str


@dataclass(frozen=True, slots=True)
class Message:
    """As it stands at `position`. A deleted one keeps its place, with empty `text` and `media_url`."""

    id: str
    conversation: str
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


@dataclass(frozen=True, slots=True)
class Member:
    """A membership. `left_at` is set once it ended; `by` is who made the last change, if not `user`."""

    user: Person
    role: Literal["admin", "member"]
    joined_at: datetime
    left_at: datetime | None
    read_seq: int
    by: Person | None


@dataclass(frozen=True, slots=True)
class Notification:
    """Unread messages of one conversation: those after `from_seq`, up to `up_to_seq`."""

    id: str
    conversation: str
    kind: Literal["unread", "mention"]
    from_seq: int
    up_to_seq: int
    created_at: datetime
    updated_at: datetime
    is_read: bool


@dataclass(frozen=True, slots=True)
class Broadcast:
    """What the operators announce."""

    id: str
    title: str
    text: str
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class Conversation:
    """One line of the list, as it stands at `position`. The text of `last_message` may be cut to 200 characters."""

    id: str
    kind: Literal["group", "direct"]
    name: str
    is_private: bool
    creator: str
    peer: Person | None
    role: Literal["admin", "member"] | None
    last_seq: int
    read_seq: int
    position: int
    last_message: Message | None
    updated_at: datetime

    @property
    def unread(self) -> int:
        return max(0, self.last_seq - self.read_seq)


_PEOPLE = {"sent_by", "user", "peer", "by"}


def row(kind: type[Row], told: Json) -> Row:
    """The row that `told` is. Raises ValueError or TypeError for what is none."""
    return kind(**{name: _value(name, told.get(name)) for name in kind.__dataclass_fields__})


def _value(name: str, value: Any) -> Any:
    if value is None:
        return None
    if name.endswith("_at"):
        return datetime.fromisoformat(value)
    if name in _PEOPLE:
        return row(Person, value)
    return row(Message, value) if name == "last_message" else value
