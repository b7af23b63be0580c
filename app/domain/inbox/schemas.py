"""What clients see of their list of conversations."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from app.domain.conversations.schemas import Kind, Member, Role
from app.domain.messages.schemas import Message
from app.domain.schemas import View
from app.domain.users.schemas import Person


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
