"""Accounts, conversations and messages as operators see them: facts and counts, no message text, no e-mail address."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

from app.domain.conversations.schemas import Kind
from app.domain.notifications.schemas import NotificationDecision
from app.domain.users.schemas import Person


class AccountRecord(msgspec.Struct, frozen=True, kw_only=True):
    """`conversations` counts current memberships, `logins` the active logins. `last_used_at`: their latest refresh."""

    id: UUID
    first_name: str
    last_name: str
    created_at: datetime
    activated: bool
    operator: bool
    suspended_at: datetime | None
    closed_at: datetime | None
    conversations: int
    logins: int
    last_used_at: datetime | None


class AccountPage(msgspec.Struct, frozen=True, kw_only=True):
    items: list[AccountRecord]
    next: str | None


class ConversationRecord(msgspec.Struct, frozen=True, kw_only=True):
    """`messages` includes deleted messages. A direct conversation has no name."""

    id: UUID
    kind: Kind
    name: str
    is_private: bool
    creator: UUID
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None
    members: int
    messages: int


class ConversationRecordPage(msgspec.Struct, frozen=True, kw_only=True):
    items: list[ConversationRecord]
    next: str | None


CachedState = Literal["held", "missing", "unproven", "beyond", "away"]


class TraceRecipient(msgspec.Struct, frozen=True, kw_only=True):
    """A member who joined before the message was sent. `read`: the read mark has reached it. `decided`: whether to
    notify this member has been decided. Decisions are kept for a week, so a decided member may have none.

    `left_at` is null for current members. Nothing is decided for the others.
    """

    user: Person
    left_at: datetime | None
    read_seq: int
    read: bool
    decided: bool
    decisions: list[NotificationDecision]


class TraceRecipientPage(msgspec.Struct, frozen=True, kw_only=True):
    items: list[TraceRecipient]
    next: str | None


class MessageTrace(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one message, without its text.

    `sent_at` is the time at which Postgres wrote the row, in the transaction that committed it; the time of the COMMIT
    is not recorded. `created_position` is the change that created the message, `position` the latest that changed it.
    Whether an event reached the sockets is not recorded either (`published`): a process that misses one reads the
    change from Postgres within a second.

    `cached`: the cache holds the message as it stands (`held`), has nothing of the conversation (`missing`), does not
    prove that it is current (`unproven`), keeps newer messages only (`beyond`), or Redis does not answer (`away`).

    `recipients` counts the current members who joined before the message was sent, without its sender; `readers`, those
    of them whose read mark has reached it; `undecided`, those for whom no notification has been decided yet.
    """

    id: UUID
    conversation: UUID
    kind: Kind
    message_type: Literal["text", "image", "audio", "video"]
    sent_by: Person
    seq: int
    created_position: int
    position: int
    sent_at: datetime
    updated_at: datetime
    deleted_at: datetime | None
    published: Literal["not_recorded"]
    cached: CachedState
    recipients: int
    readers: int
    undecided: int
    members: TraceRecipientPage
