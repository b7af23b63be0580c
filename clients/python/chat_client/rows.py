"""The server's rows as types. Fields that a newer server adds are ignored, so they break no client."""

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
    """A message as of `position`. A deleted message keeps its `seq`, with empty `text` and `media_url`."""

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
    """A membership. `left_at` is set once it has ended; `by` is the person who made the last change, if not `user`."""

    user: Person
    role: Literal["admin", "member"]
    joined_at: datetime
    left_at: datetime | None
    read_seq: int
    by: Person | None


@dataclass(frozen=True, slots=True)
class Notification:
    """The unread messages of one conversation after `from_seq`, up to `up_to_seq`."""

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
    """An announcement by the operators."""

    id: str
    title: str
    text: str
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class Conversation:
    """An entry of the list, as of `position`. The text of `last_message` may be truncated to 200 characters."""

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


def row(kind: type[Row], data: Json) -> Row:
    """Decodes `data` into a `kind`. Raises ValueError or TypeError if it is invalid."""
    return kind(**{name: _value(name, data.get(name)) for name in kind.__dataclass_fields__})


def _value(name: str, value: Any) -> Any:
    if value is None:
        return None
    if name.endswith("_at"):
        return datetime.fromisoformat(value)
    if name in _PEOPLE:
        return row(Person, value)
    return row(Message, value) if name == "last_message" else value
