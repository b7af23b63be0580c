"""Rows of throttles: which policies are not as the settings say."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from advanced_alchemy.types import DateTimeUTC
from sqlalchemy import ForeignKey, Index, Integer, String, func
from sqlalchemy.orm import Mapped, mapped_column

from app.domain.rows import Entity, bucket_now


class ThrottlePolicy(Entity):
    """The last change of a policy, for everybody (`user_id` is null) or for one user.

    `rate` null: the change took it back, and the rule above it holds again. `previous` is what held before.
    `changed_by` null: the command line. `changed_bucket` lets every process find fresh changes by an index.
    """

    __tablename__ = "throttle_policies"
    __table_args__ = (
        Index("uq_throttle_policies_whose", "policy", "user_id", unique=True, postgresql_nulls_not_distinct=True),
        Index("ix_throttle_policies_changed_bucket", "changed_bucket"),
    )

    policy: Mapped[str] = mapped_column(String(32))
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"))
    rate: Mapped[str | None] = mapped_column(String(32))
    previous: Mapped[str] = mapped_column(String(32))
    changed_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"))
    changed_at: Mapped[datetime] = mapped_column(DateTimeUTC(timezone=True), server_default=func.clock_timestamp())
    changed_bucket: Mapped[int] = mapped_column(Integer, default=bucket_now())
