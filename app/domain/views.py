"""What the world sees of the rows. Nothing in a view depends on who reads it, but where its docstring says so.

So one encoding of a message serves REST pages, the cache, the bus and every socket.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec

Kind = Literal["group", "direct"]
Role = Literal["admin", "member"]
Adders = Literal["everybody", "contacts", "nobody"]
MessageType = Literal["text", "image", "audio", "video"]


class View(msgspec.Struct, frozen=True, kw_only=True):
    """The base of all views: immutable, named fields, encoded in the order declared."""


class Person(View, frozen=True, kw_only=True):
    """Somebody, as others see them. After closing an account: "deleted user"."""

    id: UUID
    first_name: str
    last_name: str


class Profile(View, frozen=True, kw_only=True):
    """Oneself. `who_may_add`: who may add one to groups and begin direct conversations with one."""

    id: UUID
    email: str
    first_name: str
    last_name: str
    is_active: bool
    who_may_add: Adders


class Login(View, frozen=True, kw_only=True):
    """One login session of the caller; `current` marks the one that asks."""

    id: UUID
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    address: str
    user_agent: str
    current: bool


class Notification(View, frozen=True, kw_only=True):
    """Unread messages of one conversation, those after `from_seq` up to `up_to_seq`. `mention`: one of them names you.

    At most one of a conversation is unread; it grows, and is told again as a `notification` frame when it does.
    """

    id: UUID
    conversation: UUID
    kind: Literal["unread", "mention"]
    from_seq: int
    up_to_seq: int
    created_at: datetime
    updated_at: datetime
    is_read: bool


class NotificationPage(View, frozen=True, kw_only=True):
    items: list[Notification]
    next: str | None


class Attention(View, frozen=True, kw_only=True):
    """How one wants to be told of a conversation. `mails`: by mail too, when absent."""

    level: Literal["all", "mentions", "none"]
    muted_until: datetime | None
    mails: bool


class NotificationDecision(View, frozen=True, kw_only=True):
    """Why one was told of a message by this channel, or was not. Kept a week."""

    channel: Literal["app", "mail"]
    outcome: str
    decided_at: datetime


class NotificationDecisions(View, frozen=True, kw_only=True):
    items: list[NotificationDecision]


class LoginPage(View, frozen=True, kw_only=True):
    items: list[Login]
    next: str | None


class PersonPage(View, frozen=True, kw_only=True):
    items: list[Person]
    next: str | None


class Ticket(View, frozen=True, kw_only=True):
    """A single-use key to one socket; `expires_in` is in seconds."""

    ticket: str
    expires_in: int


class Message(View, frozen=True, kw_only=True):
    """A message as it stands at `position`. A deleted one keeps its place, with empty `text` and `media_url`."""

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
    """Who has read a message: its sender, and members with `joined_seq < seq <= read_seq` (the first 50)."""

    count: int
    users: list[Person]


class MessageDetail(Message, frozen=True, kw_only=True):
    seen_by: SeenBy


class Member(View, frozen=True, kw_only=True):
    """A membership as it stands. `left_at` is set once it ended; `by` is who made the last change, if not `user`."""

    user: Person
    role: Role
    joined_at: datetime
    left_at: datetime | None
    read_seq: int
    by: Person | None = None


class ConversationFacts(View, frozen=True, kw_only=True):
    """A conversation without its messages and members: what `conversation.updated` and `.deleted` carry."""

    id: UUID
    kind: Kind
    name: str
    is_private: bool
    created_by: UUID
    creator: UUID
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


class ConversationSummary(View, frozen=True, kw_only=True):
    """One line of a person's list: depends on the reader (`role`, `unread`, `read_seq`, and `peer` of a direct one).

    `unread = last_seq - read_seq`. `updated_at` is the latest activity: a message sent, or the conversation changed.
    """

    id: UUID
    kind: Kind
    name: str
    is_private: bool
    creator: UUID
    peer: Person | None
    role: Role | None
    unread: int
    last_seq: int
    read_seq: int
    position: int
    last_message: Message | None
    updated_at: datetime


class ConversationDetail(ConversationSummary, frozen=True, kw_only=True):
    """One conversation, opened: + the first 50 members. For outsiders of a public one: no role, no message."""

    created_by: UUID
    created_at: datetime
    members: list[Member]
    member_count: int


class ConversationPage(View, frozen=True, kw_only=True):
    items: list[ConversationSummary]
    next: str | None


class MemberPage(View, frozen=True, kw_only=True):
    items: list[Member]
    next: str | None


class ReadState(View, frozen=True, kw_only=True):
    read_seq: int
    unread: int


class MessagePage(View, frozen=True, kw_only=True):
    """`items` in ascending `seq`; `position` of the conversation when read; `has_more` in the direction asked."""

    items: list[Message]
    position: int
    has_more: bool


class ChangePage(View, frozen=True, kw_only=True):
    """Changes after a position, as the rows stand now. `complete: false`: go on from `position`."""

    items: list[Change]
    position: int
    complete: bool


class Change(View, frozen=True, kw_only=True):
    """One changed row. `data` is a `Message`, `Member` or `ConversationFacts`, to be upserted."""

    type: str
    position: int
    data: Annotated[
        msgspec.Raw,
        msgspec.Meta(description="The whole row as it stands now: a message, a member, or the conversation's facts."),
    ]


class Page(View, frozen=True, kw_only=True):
    """`next` goes into `?cursor=` for the following page, or is null on the last."""

    items: list[msgspec.Raw]
    next: str | None
