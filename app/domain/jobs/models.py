"""The row of a task that failed for good."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, Integer, String, Text, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.domain.orm import DateTimeUTC, Entity


class FailedTaskRow(Entity):
    """A failed task. At most one row per task and arguments is open (not retried); repeated failures update it.

    `error` is the exception's name and location, never its message, which may contain user content.
    """

    __tablename__ = "failed_tasks"
    __table_args__ = (
        CheckConstraint("reason IN ('failed', 'timeout', 'lost', 'refused')", name="reason"),
        Index("uq_failed_tasks_open", "task", "arguments", unique=True, postgresql_where=text("retried_at IS NULL")),
        Index(
            "ix_failed_tasks_asked_at",
            "asked_at",
            postgresql_where=text("asked_at IS NOT NULL AND retried_at IS NULL"),
        ),
        Index("ix_failed_tasks_failed_at", "failed_at"),
    )

    task: Mapped[str] = mapped_column(String(100))
    arguments: Mapped[str] = mapped_column(String(1_000))
    queue: Mapped[str] = mapped_column(String(50))
    reason: Mapped[str] = mapped_column(String(7))
    error: Mapped[str] = mapped_column(Text)
    worker: Mapped[str] = mapped_column(String(200), server_default="")
    attempts: Mapped[int] = mapped_column(Integer)
    times: Mapped[int] = mapped_column(Integer, server_default=text("1"))
    first_failed_at: Mapped[datetime] = mapped_column(DateTimeUTC(timezone=True), server_default=func.clock_timestamp())
    failed_at: Mapped[datetime] = mapped_column(DateTimeUTC(timezone=True), server_default=func.clock_timestamp())
    asked_at: Mapped[datetime | None] = mapped_column(DateTimeUTC(timezone=True))
    retried_at: Mapped[datetime | None] = mapped_column(DateTimeUTC(timezone=True))
