"""Views of the audit log for operators."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from app.domain.audit.log import Action


class AuditRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One audit entry: `by` performed `action` on `subject`. `by` is null for a command on the server's machine."""

    id: UUID
    at: datetime
    by: UUID | None
    action: Action
    subject: UUID | None
    details: dict[str, Any]


class AuditPage(msgspec.Struct, frozen=True, kw_only=True):
    items: list[AuditRecord]
    next: str | None
