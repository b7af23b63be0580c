"""Rows of broadcasts, of each user's delivery cursor, and of the mails of broadcasts."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    Uuid,
    func,
)
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from app.domain.broadcasts.schemas import Audience
from app.domain.orm import DateTimeUTC, DefaultBase, Entity


class BroadcastRow(Entity):
    """A broadcast. `number` is its position among all sent broadcasts, in commit order; cursors refer to it.

    `mailed_through` is the last account whose mail was queued. `mails_due_at` is when the next chunk is due, or null.
    `created_by` is null if it was created on the command line.
    """

    __tablename__ = "broadcasts"
    __table_args__ = (
        CheckConstraint("audience IN ('everybody', 'operators', 'conversations')", name="audience"),
        Index("uq_broadcasts_number", "number", unique=True),
        Index(
            "ix_broadcasts_send_at",
            "send_at",
            postgresql_where=sql("number IS NULL AND canceled_at IS NULL"),
        ),
        Index("ix_broadcasts_mails_due_at", "mails_due_at", postgresql_where=sql("mails_due_at IS NOT NULL")),
    )

    title: Mapped[str] = mapped_column(String(200))
    text: Mapped[str] = mapped_column(Text)
    audience: Mapped[Audience] = mapped_column(String(13))
    conversations: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid()), server_default=sql("'{}'::uuid[]"))
    created_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime] = mapped_column(DateTimeUTC(timezone=True), server_default=func.clock_timestamp())
    send_at: Mapped[datetime] = mapped_column(DateTimeUTC(timezone=True))
    expires_at: Mapped[datetime] = mapped_column(DateTimeUTC(timezone=True))
    number: Mapped[int | None] = mapped_column(BigInteger)
    sent_at: Mapped[datetime | None] = mapped_column(DateTimeUTC(timezone=True))
    canceled_at: Mapped[datetime | None] = mapped_column(DateTimeUTC(timezone=True))
    mail: Mapped[bool] = mapped_column(Boolean, server_default=sql("false"))
    mails_per_second: Mapped[int] = mapped_column(Integer, server_default=sql("10"))
    mails_due_at: Mapped[datetime | None] = mapped_column(DateTimeUTC(timezone=True))
    mailed_through: Mapped[UUID | None]
    mails_planned: Mapped[int] = mapped_column(Integer, server_default=sql("0"))
    mails_posted: Mapped[int] = mapped_column(Integer, server_default=sql("0"))
    mails_sent: Mapped[int] = mapped_column(Integer, server_default=sql("0"))
    mails_refused: Mapped[int] = mapped_column(Integer, server_default=sql("0"))
    mails_unknown: Mapped[int] = mapped_column(Integer, server_default=sql("0"))
    mails_dropped: Mapped[int] = mapped_column(Integer, server_default=sql("0"))


class BroadcastCursor(DefaultBase):
    """The number of the last broadcast delivered to a user on a socket: one row per user, for all broadcasts."""

    __tablename__ = "broadcast_cursors"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
    seen: Mapped[int] = mapped_column(BigInteger)


class BroadcastMail(DefaultBase):
    """A broadcast's mail to one account and its outcome. Ensures a single mail; outlives the row in `mails`."""

    __tablename__ = "broadcast_mails"
    __table_args__ = (Index("ix_broadcast_mails_open", "broadcast_id", postgresql_where=sql("outcome IS NULL")),)

    broadcast_id: Mapped[UUID] = mapped_column(ForeignKey("broadcasts.id"), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
    mail_id: Mapped[UUID]
    outcome: Mapped[str | None] = mapped_column(String(20))
