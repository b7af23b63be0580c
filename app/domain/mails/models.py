"""Rows of mails. Recipient and facts are kept until the mail is settled; after that only its outcome, for a week."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Integer, String, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.domain.orm import DateTimeUTC, Entity


class Mail(Entity):
    """One mail. `claimed_at` is committed before SMTP begins, so a process that dies in between sends nothing twice.

    `registration_id` is no foreign key: the row may be deleted before the mail is sent.
    """

    __tablename__ = "mails"
    __table_args__ = (
        Index("ix_mails_due_at", "due_at", postgresql_where=text("outcome IS NULL")),
        Index("ix_mails_settled_at", "settled_at", postgresql_where=text("outcome IS NOT NULL")),
        Index("ix_mails_user_id", "user_id"),
    )

    kind: Mapped[str] = mapped_column(String(20))
    address: Mapped[str] = mapped_column(String(254))
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"))
    registration_id: Mapped[UUID | None]
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'::jsonb"))
    created_at: Mapped[datetime] = mapped_column(DateTimeUTC(timezone=True), server_default=func.clock_timestamp())
    due_at: Mapped[datetime] = mapped_column(DateTimeUTC(timezone=True), server_default=func.clock_timestamp())
    claimed_at: Mapped[datetime | None] = mapped_column(DateTimeUTC(timezone=True))
    attempts: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    outcome: Mapped[str | None] = mapped_column(String(20))
    settled_at: Mapped[datetime | None] = mapped_column(DateTimeUTC(timezone=True))
