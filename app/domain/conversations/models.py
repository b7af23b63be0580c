"""Rows of conversations, with their two counters, and of memberships, which grant access.

`last_seq` and `position` move only under the conversation's row lock, in the transaction that makes the change.
Membership rows are never deleted: leaving sets `left_at`, rejoining reuses the row.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    Index,
    Integer,
    String,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.domain.orm import DateTimeUTC, DefaultBase, Entity


class Conversation(Entity):
    """`position` counts all durable changes, `last_seq` the messages. `meta_position` is the last change of the
    conversation itself, `edited_position` the last edit, delete or rename that made a cached message stale."""

    __tablename__ = "conversations"
    __table_args__ = (
        CheckConstraint("kind IN ('group', 'direct')", name="kind"),
        CheckConstraint("position >= last_seq", name="position"),
        Index("uq_conversations_direct_key", "direct_key", unique=True),
        Index("ix_conversations_active_bucket", "active_bucket"),
        Index(
            "ix_conversations_public_name_trgm",
            text("lower(name) gin_trgm_ops"),
            postgresql_using="gin",
            postgresql_where=text("NOT is_private AND deleted_at IS NULL"),
        ),
        Index(
            "ix_conversations_public_name_prefix",
            text("lower(name) text_pattern_ops"),
            postgresql_where=text("NOT is_private AND deleted_at IS NULL"),
        ),
        Index("ix_conversations_public", "id", postgresql_where=text("NOT is_private AND deleted_at IS NULL")),
        {"postgresql_with": {"fillfactor": "70"}},
    )

    kind: Mapped[str] = mapped_column(String(8))
    name: Mapped[str] = mapped_column(String(100), server_default="")
    is_private: Mapped[bool] = mapped_column(Boolean)
    created_by: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    creator_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    direct_key: Mapped[str | None] = mapped_column(String(73))
    created_at: Mapped[datetime] = mapped_column(DateTimeUTC(timezone=True), server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(DateTimeUTC(timezone=True), server_default=func.now())
    deleted_at: Mapped[datetime | None] = mapped_column(DateTimeUTC(timezone=True))
    last_seq: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    position: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    meta_position: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    edited_position: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    changed_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"))
    member_count: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    active_bucket: Mapped[int] = mapped_column(
        Integer, server_default=text("floor(extract(epoch from clock_timestamp()) / 10)::int")
    )


class Membership(DefaultBase):
    """A current or former member of a conversation. `joined_seq` is the `last_seq` at joining, where `read_seq` starts.

    A direct conversation is hidden from its member while `hidden_seq` equals its `last_seq`. The next message shows it
    again without a write to this row. -1: not hidden.

    `left_first_name` and `left_last_name` are the name of a former member on leaving (see `conversation_projection`).
    """

    __tablename__ = "memberships"
    __table_args__ = (
        CheckConstraint("role IN ('admin', 'member')", name="role"),
        CheckConstraint("ended IN ('left', 'removed')", name="ended"),
        CheckConstraint("(left_at IS NULL) = (ended IS NULL)", name="ended_when_left"),
        Index("ix_memberships_hidden", "user_id", postgresql_where=text("hidden_seq >= 0")),
        Index("ix_memberships_user_id", "user_id", postgresql_where=text("left_at IS NULL")),
        # Only for `changes`, which repeats the condition. Without a condition, a query for one member of a large
        # conversation could scan all its rows, because the planner expects two members in an average conversation.
        Index(
            "ix_memberships_changes",
            "conversation_id",
            "position",
            postgresql_where=text("position > 0"),
        ),
        Index("ix_memberships_changed_bucket", "changed_bucket"),
        Index(
            "ix_memberships_left_names",
            "user_id",
            "conversation_id",
            postgresql_where=text("left_first_name IS NOT NULL"),
        ),
        {"postgresql_with": {"fillfactor": "70"}},
    )

    conversation_id: Mapped[UUID] = mapped_column(ForeignKey("conversations.id"), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
    role: Mapped[str] = mapped_column(String(6), server_default="member")
    joined_at: Mapped[datetime] = mapped_column(DateTimeUTC(timezone=True), server_default=func.now())
    left_at: Mapped[datetime | None] = mapped_column(DateTimeUTC(timezone=True))
    ended: Mapped[str | None] = mapped_column(String(7))
    left_first_name: Mapped[str | None] = mapped_column(String(100))
    left_last_name: Mapped[str | None] = mapped_column(String(100))
    joined_seq: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    read_seq: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    created_position: Mapped[int] = mapped_column(BigInteger)
    position: Mapped[int] = mapped_column(BigInteger)
    hidden_seq: Mapped[int] = mapped_column(BigInteger, server_default=text("-1"))
    was_added: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))
    changed_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"))
    changed_bucket: Mapped[int] = mapped_column(
        Integer, server_default=text("floor(extract(epoch from clock_timestamp()) / 10)::int")
    )


def is_listed() -> ColumnElement[bool]:
    """For `Conversation` joined with `Membership`: not hidden by the member, or a message was sent since."""
    return Membership.hidden_seq < Conversation.last_seq


def still_in() -> ColumnElement[bool]:
    """Whether the membership is current, for look-ups by primary key.

    Equivalent to `left_at IS NULL`, but does not match the partial index on `user_id`. Where the average user has one
    membership, the planner may choose that index and scan all memberships of the user.
    """
    return Membership.ended.is_(None)
