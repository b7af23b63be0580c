"""Rows of notifications: each member's preferences, the notifications, and the decisions behind them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Boolean, CheckConstraint, ForeignKey, Index, Integer, String, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.domain.orm import DateTimeUTC, DefaultBase, Entity


class Subscription(DefaultBase):
    """One member's notification preferences for a conversation, and the position up to which it has been decided.

    Separate from the membership, which every send updates: this row changes only when the member has unread messages.
    A missing row means the defaults, decided up to the position where the member joined.
    """

    __tablename__ = "subscriptions"
    __table_args__ = (
        CheckConstraint("level IN ('all', 'mentions', 'none')", name="level"),
        Index("ix_subscriptions_mail_due_at", "mail_due_at", postgresql_where=text("mail_due_at IS NOT NULL")),
        Index("ix_subscriptions_user_id", "user_id"),
        {"postgresql_with": {"fillfactor": "80"}},
    )

    conversation_id: Mapped[UUID] = mapped_column(ForeignKey("conversations.id"), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
    level: Mapped[str] = mapped_column(String(8), server_default="all")
    muted_until: Mapped[datetime | None] = mapped_column(DateTimeUTC(timezone=True))
    mails: Mapped[bool] = mapped_column(Boolean, server_default=text("true"))
    decided_seq: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    mailed_seq: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    mailed_at: Mapped[datetime | None] = mapped_column(DateTimeUTC(timezone=True))
    mail_due_at: Mapped[datetime | None] = mapped_column(DateTimeUTC(timezone=True))


class NotificationRow(Entity):
    """Unread messages up to `up_to_seq`. A user has at most one open row per conversation, which is extended."""

    __tablename__ = "notifications"
    __table_args__ = (
        CheckConstraint("kind IN ('unread', 'mention')", name="kind"),
        Index(
            "uq_notifications_open", "user_id", "conversation_id", unique=True, postgresql_where=text("read_at IS NULL")
        ),
        Index("ix_notifications_user_id_id", "user_id", "id"),
        Index("ix_notifications_updated_at", "updated_at"),
    )

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    conversation_id: Mapped[UUID] = mapped_column(ForeignKey("conversations.id"))
    kind: Mapped[str] = mapped_column(String(7))
    from_seq: Mapped[int] = mapped_column(BigInteger)
    up_to_seq: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(DateTimeUTC(timezone=True), server_default=func.clock_timestamp())
    updated_at: Mapped[datetime] = mapped_column(DateTimeUTC(timezone=True), server_default=func.clock_timestamp())
    read_at: Mapped[datetime | None] = mapped_column(DateTimeUTC(timezone=True))


class NotificationDecisionRow(Entity):
    """Why a member was notified or not of the messages after `from_seq` up to `up_to_seq`. Kept for a week."""

    __tablename__ = "notification_decisions"
    __table_args__ = (
        CheckConstraint("channel IN ('app', 'mail')", name="channel"),
        Index("ix_notification_decisions_whose", "conversation_id", "user_id", "up_to_seq"),
        Index("ix_notification_decisions_decided_at", "decided_at"),
        Index("ix_notification_decisions_mail_id", "mail_id", postgresql_where=text("mail_id IS NOT NULL")),
    )

    conversation_id: Mapped[UUID] = mapped_column(ForeignKey("conversations.id"))
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    channel: Mapped[str] = mapped_column(String(4))
    outcome: Mapped[str] = mapped_column(String(16))
    from_seq: Mapped[int] = mapped_column(BigInteger)
    up_to_seq: Mapped[int] = mapped_column(BigInteger)
    decided_at: Mapped[datetime] = mapped_column(DateTimeUTC(timezone=True), server_default=func.clock_timestamp())
    mail_id: Mapped[UUID | None]


class DecisionProgress(DefaultBase):
    """The ten-second bucket where the next sweep starts."""

    __tablename__ = "progress"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    bucket: Mapped[int] = mapped_column(Integer)
