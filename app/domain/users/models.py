"""Rows of users, invites, pending registrations, logins, tickets and mailed tokens. Passwords, tokens and codes are
hashed."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Boolean, CheckConstraint, ForeignKey, Index, Integer, LargeBinary, String, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.domain.orm import DateTimeUTC, DefaultBase, Entity


class User(Entity):
    """A user. Never deleted: a closed account keeps its row, without personal data, as "deleted user".

    `credentials` changes with password and address, which voids mailed tokens issued before. `version` changes when
    others must learn of a rename or a closure. `told_version` is the version that all conversations show; while it lags
    behind, `told_through` is the last conversation updated, and until `teller_until` one task holds the work.
    """

    __tablename__ = "users"
    __table_args__ = (
        Index("uq_users_email_lower", func.lower(text("email")), unique=True),
        Index(
            "ix_users_full_name_trgm",
            text("lower(first_name || ' ' || last_name) gin_trgm_ops"),
            postgresql_using="gin",
        ),
        # For searches without three letters or digits in a row: prefixes of the full name and of the last name.
        Index("ix_users_full_name_prefix", text("lower(first_name || ' ' || last_name) text_pattern_ops")),
        Index("ix_users_last_name_prefix", text("lower(last_name) text_pattern_ops")),
        CheckConstraint("who_may_add IN ('everybody', 'contacts', 'nobody')", name="who_may_add"),
        Index("ix_users_untold", "id", postgresql_where=text("version > told_version")),
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
    who_may_add: Mapped[str] = mapped_column(String(9), server_default="everybody")
    credentials: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    version: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    told_version: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    told_through: Mapped[UUID | None]
    teller_until: Mapped[datetime | None] = mapped_column(DateTimeUTC(timezone=True))


class LoginSession(Entity):
    """One login. Its refresh tokens form a family: only those of the current `generation` refresh.

    `rotated_at` is when that generation began; tokens are derived from it, so the newest predecessor can be given the
    identical pair again for ten seconds. `revoked_bucket` indexes recent revocations for every process.
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
    """A single-use ticket for one socket, valid for thirty seconds. In Postgres, so it works without Redis."""

    __tablename__ = "socket_tickets"
    __table_args__ = (Index("ix_socket_tickets_expires_at", "expires_at"),)

    digest: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    session_id: Mapped[UUID] = mapped_column(ForeignKey("login_sessions.id", ondelete="CASCADE"))
    expires_at: Mapped[datetime] = mapped_column(DateTimeUTC(timezone=True))


class Invite(Entity):
    """A link by which people register. `uses` counts the accounts that were created with it. `email_digest` is that of
    the only address it works for; None for any. Kept for thirty days after it expires."""

    __tablename__ = "invites"
    __table_args__ = (
        CheckConstraint("uses BETWEEN 0 AND max_uses", name="uses"),
        Index("uq_invites_digest", "digest", unique=True),
        Index("ix_invites_expires_at", "expires_at"),
    )

    digest: Mapped[bytes] = mapped_column(LargeBinary(32))
    max_uses: Mapped[int] = mapped_column(Integer)
    uses: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    note: Mapped[str] = mapped_column(String(200), server_default="")
    email_digest: Mapped[str | None] = mapped_column(String(32))
    created_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime] = mapped_column(DateTimeUTC(timezone=True), server_default=func.clock_timestamp())
    expires_at: Mapped[datetime] = mapped_column(DateTimeUTC(timezone=True))
    revoked_at: Mapped[datetime | None] = mapped_column(DateTimeUTC(timezone=True))


class PendingRegistration(Entity):
    """A registration whose address is not confirmed yet; several may exist for one address. `invite_id` is the invite
    that it came with."""

    __tablename__ = "registrations"
    __table_args__ = (
        Index("ix_registrations_email_lower", func.lower(text("email"))),
        Index("ix_registrations_expires_at", "expires_at"),
        Index("ix_registrations_invite_id", "invite_id", postgresql_where=text("invite_id IS NOT NULL")),
    )

    email: Mapped[str] = mapped_column(String(254))
    first_name: Mapped[str] = mapped_column(String(100))
    last_name: Mapped[str] = mapped_column(String(100))
    password_hash: Mapped[str] = mapped_column(String(255))
    expires_at: Mapped[datetime] = mapped_column(DateTimeUTC(timezone=True))
    invite_id: Mapped[UUID | None] = mapped_column(ForeignKey("invites.id", ondelete="CASCADE"))


class MailedTokenRow(DefaultBase):
    """A single-use token, mailed to prove access to the mailbox. `email` is the new address that it confirms."""

    __tablename__ = "mailed_tokens"
    __table_args__ = (
        CheckConstraint("purpose IN ('activation', 'password', 'email', 'login')", name="purpose"),
        Index("ix_mailed_tokens_expires_at", "expires_at"),
        Index("ix_mailed_tokens_user_id", "user_id"),
        Index("ix_mailed_tokens_registration_id", "registration_id"),
    )

    digest: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    purpose: Mapped[str] = mapped_column(String(10))
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"))
    registration_id: Mapped[UUID | None] = mapped_column(ForeignKey("registrations.id", ondelete="CASCADE"))
    email: Mapped[str] = mapped_column(String(254), server_default="")
    credentials: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    expires_at: Mapped[datetime] = mapped_column(DateTimeUTC(timezone=True))


class SecondFactor(DefaultBase):
    """A user's authenticator (RFC 6238), active once confirmed. `last_step` is the newest step whose code was used."""

    __tablename__ = "second_factors"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
    sealed_secret: Mapped[bytes] = mapped_column(LargeBinary(255))
    confirmed_at: Mapped[datetime | None] = mapped_column(DateTimeUTC(timezone=True))
    last_step: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))


class RecoveryCode(DefaultBase):
    """A code for one login when the authenticator is lost."""

    __tablename__ = "recovery_codes"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("second_factors.user_id", ondelete="CASCADE"), primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
