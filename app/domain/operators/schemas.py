"""Accounts and conversations as operators see them: facts and numbers, no text of a message, no e-mail address."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from app.domain.conversations.schemas import Kind


class AccountRecord(msgspec.Struct, frozen=True, kw_only=True):
    """`conversations` are those it is in now; `logins` those that live, `last_used_at` when the newest refreshed."""

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
    """`messages` counts those that were deleted, too. A direct conversation has no name."""

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
