"""Mails as operators see them on the server's machine."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec


class MailRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One mail. `state`: `waiting`, `sending`, `postponed` until `due_at` after `attempts`, or the outcome. `address`
    is empty once the mail is settled."""

    id: UUID
    kind: str
    state: str
    address: str
    user: UUID | None
    attempts: int
    created_at: datetime
    due_at: datetime
    settled_at: datetime | None
