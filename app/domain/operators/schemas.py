"""Accounts and conversations as operators see them: facts and counts, no message text, no e-mail address."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from app.domain.conversations.schemas import Kind


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
