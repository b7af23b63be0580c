"""Rows of the audit log. Triggers reject UPDATE, TRUNCATE, and DELETE of rows younger than 30 days."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, String, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.domain.orm import DateTimeUTC, Entity


class AuditEntry(Entity):
    """One action. `by` is null for a command on the server's machine.

    No foreign keys: an entry outlives its account and subject, and does not prevent their deletion.
    """

    __tablename__ = "audit_log"
    __table_args__ = (
        Index("ix_audit_log_at", "at", "id"),
        Index("ix_audit_log_action", "action", "at", "id"),
        Index("ix_audit_log_by", "by", "at", "id"),
        Index("ix_audit_log_subject", "subject", "at", "id"),
        {"info": {"privileges": ("SELECT", "INSERT", "DELETE")}},
    )

    at: Mapped[datetime] = mapped_column(DateTimeUTC(timezone=True), server_default=func.clock_timestamp())
    by: Mapped[UUID | None]
    action: Mapped[str] = mapped_column(String(40))
    subject: Mapped[UUID | None]
    details: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'::jsonb"))
