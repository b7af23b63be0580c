"""The views of conversations and members that clients receive."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from app.domain.schemas import View
from app.domain.users.schemas import Person

Kind = Literal["group", "direct"]


Role = Literal["admin", "member"]


class Member(View, frozen=True, kw_only=True):
    """A membership. `left_at` is set once it has ended; `by` is who made the last change, unless that is `user`."""

    user: Person
    role: Role
    joined_at: datetime
    left_at: datetime | None
    read_seq: int
    by: Person | None = None


class ConversationFacts(View, frozen=True, kw_only=True):
    """A conversation without messages and members: the data of `conversation.updated` and `conversation.deleted`."""

    id: UUID
    kind: Kind
    name: str
    is_private: bool
    created_by: UUID
    creator: UUID
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


class MemberPage(View, frozen=True, kw_only=True):
    items: list[Member]
    next: str | None


class ReadState(View, frozen=True, kw_only=True):
    read_seq: int
    unread: int
