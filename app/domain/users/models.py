"""Rows of people, their logins and their socket tickets. Passwords, tokens and tickets are kept as hashes only."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from advanced_alchemy.types import DateTimeUTC
from sqlalchemy import Boolean, ForeignKey, Index, Integer, LargeBinary, String, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.domain.rows import DefaultBase, Entity


class User(Entity):
    """A person. Never deleted: a closed account keeps its row, without personal data, as "deleted user"."""

    __tablename__ = "users"
    __table_args__ = (
        Index("uq_users_email_lower", func.lower(text("email")), unique=True),
        Index(
            "ix_users_full_name_trgm",
            text("lower(first_name || ' ' || last_name) gin_trgm_ops"),
            postgresql_using="gin",
        ),
    )

    email: Mapped[str] = mapped_column(String(254))
    first_name: Mapped[str] = mapped_column(String(100))
    last_name: Mapped[str] = mapped_column(String(100))
    password_hash: Mapped[str] = mapped_column(String(255))
    is_active: Mapped[bool] = mapped_column(Boolean, server_default=text("true"))
    is_operator: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))
    created_at: Mapped[datetime] = mapped_column(DateTimeUTC(timezone=True), server_default=func.now())
    suspended_at: Mapped[datetime | None] = mapped_column(DateTimeUTC(timezone=True))
    closed_at: Mapped[datetime | None] = mapped_column(DateTimeUTC(timezone=True))


class LoginSession(Entity):
    """One login. Its refresh tokens form a family: `generation` is the only one that still refreshes.

    `rotated_at` is when that generation began; tokens are derived from it, so the newest predecessor can be given
    the very same pair again for ten seconds. `revoked_bucket` lets every process find fresh revocations by an index.
    """

    __tablename__ = "login_sessions"
    __table_args__ = (
        Index("ix_login_sessions_user_id", "user_id"),
        Index(
            "ix_login_sessions_revoked_bucket",
            "revoked_bucket",
            postgresql_where=text("revoked_bucket IS NOT NULL"),
        ),
        Index("ix_login_sessions_expires_at", "expires_at"),
    )

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    generation: Mapped[int] = mapped_column(Integer, server_default=text("1"))
    rotated_at: Mapped[datetime] = mapped_column(DateTimeUTC(timezone=True), server_default=func.now())
    created_at: Mapped[datetime] = mapped_column(DateTimeUTC(timezone=True), server_default=func.now())
    last_used_at: Mapped[datetime] = mapped_column(DateTimeUTC(timezone=True), server_default=func.now())
    expires_at: Mapped[datetime] = mapped_column(DateTimeUTC(timezone=True))
    address: Mapped[str] = mapped_column(String(45), server_default="")
    user_agent: Mapped[str] = mapped_column(String(255), server_default="")
    revoked_at: Mapped[datetime | None] = mapped_column(DateTimeUTC(timezone=True))
    revoked_bucket: Mapped[int | None] = mapped_column(Integer)


class SocketTicket(DefaultBase):
    """A single-use key to one socket, thirty seconds long. In Postgres, so that it works with Redis away."""

    __tablename__ = "socket_tickets"
    __table_args__ = (Index("ix_socket_tickets_expires_at", "expires_at"),)

    digest: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    session_id: Mapped[UUID] = mapped_column(ForeignKey("login_sessions.id", ondelete="CASCADE"))
    expires_at: Mapped[datetime] = mapped_column(DateTimeUTC(timezone=True))
