"""The views of the conversation list that clients receive."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from app.domain.conversations.schemas import Kind, Member, Role
from app.domain.messages.schemas import Message
from app.domain.schemas import View
from app.domain.users.schemas import Person


class ConversationSummary(View, frozen=True, kw_only=True):
    """A conversation as listed. `role`, `unread`, `read_seq` and `peer` (direct only) depend on the caller.

    `unread = last_seq - read_seq`. `updated_at` is the latest activity: a message or a change of the conversation.
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
    """A conversation with its first 50 members. An outsider of a public one receives no role and no message."""

    created_by: UUID
    created_at: datetime
    members: list[Member]
    member_count: int


class ConversationPage(View, frozen=True, kw_only=True):
    items: list[ConversationSummary]
    next: str | None
