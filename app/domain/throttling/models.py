"""Rows of throttles: overrides of the policies in the settings, and the attempts counted per subject."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, ForeignKey, Index, Integer, String, func
from sqlalchemy.orm import Mapped, mapped_column

from app.domain.orm import DateTimeUTC, DefaultBase, Entity, bucket_now


class ThrottlePolicy(Entity):
    """The last change of a policy, for all users (`user_id` is null) or for one user.

    `rate` null: the override was removed, and the general rate or the setting applies again. `previous` is the rate
    before the change. `changed_by` null: the command line. `changed_bucket` is indexed, so processes find new changes.
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


class ThrottleAttempts(DefaultBase):
    """One subject's attempts in one hour under one policy; `refused` of them were rejected.

    `period` is the policy's window in seconds. `windows` holds the attempts in each window of the hour, aligned with
    the clock, in order. It is empty if a window is an hour or longer: then hours are summed into windows. `subject` is
    a user's id or a keyed digest; the nil UUID stands for all subjects that were not counted separately.
    """

    __tablename__ = "throttle_attempts"
    __table_args__ = (Index("ix_throttle_attempts_hour", "hour"),)

    policy: Mapped[str] = mapped_column(String(32), primary_key=True)
    period: Mapped[int] = mapped_column(Integer, primary_key=True)
    hour: Mapped[datetime] = mapped_column(DateTimeUTC(timezone=True), primary_key=True)
    subject: Mapped[UUID] = mapped_column(primary_key=True)
    attempts: Mapped[int] = mapped_column(BigInteger)
    refused: Mapped[int] = mapped_column(BigInteger)
    windows: Mapped[list[int]] = mapped_column(ARRAY(Integer))


class ThrottleUsageBatch(DefaultBase):
    """A minute's counts that were added from Redis. Its `id` prevents adding the same batch twice."""

    __tablename__ = "throttle_flights"
    __table_args__ = (Index("ix_throttle_flights_minute", "minute"),)

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    minute: Mapped[datetime] = mapped_column(DateTimeUTC(timezone=True))
