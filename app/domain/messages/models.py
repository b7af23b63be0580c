"""Message rows, hash-partitioned by conversation. Every key begins with the conversation, so rows can be distributed.

No foreign keys: conversations and users are never deleted. The send function reads both under the conversation's
lock, so a key check per message would only repeat that read.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary, String, Text, Uuid, text
from sqlalchemy.orm import Mapped, mapped_column

from app.domain.orm import DateTimeUTC, DefaultBase

PARTITIONS = 16


class MessageRow(DefaultBase):
    """`digest` is the hash of the body as first sent. It distinguishes a retry from a reused key."""

    __tablename__ = "messages"
    __table_args__ = (
        CheckConstraint("message_type IN ('text', 'image', 'audio', 'video')", name="message_type"),
        Index("uq_messages_conversation_id_id", "conversation_id", "id", unique=True),
        Index(
            "uq_messages_client_id",
            "conversation_id",
            "sender_id",
            "client_id",
            unique=True,
            postgresql_where=text("client_id IS NOT NULL"),
        ),
        Index("ix_messages_conversation_id_position", "conversation_id", "position"),
        {"postgresql_partition_by": "HASH (conversation_id)"},
    )

    conversation_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    id: Mapped[UUID] = mapped_column(Uuid)
    sender_id: Mapped[UUID] = mapped_column(Uuid)
    created_position: Mapped[int] = mapped_column(BigInteger)
    position: Mapped[int] = mapped_column(BigInteger)
    message_type: Mapped[str] = mapped_column(String(5))
    text: Mapped[str] = mapped_column(Text, server_default="")
    media_url: Mapped[str] = mapped_column(String(2048), server_default="")
    client_id: Mapped[str | None] = mapped_column(String(64))
    digest: Mapped[bytes | None] = mapped_column(LargeBinary(16))
    reply_to: Mapped[int | None] = mapped_column(BigInteger)
    changed_by: Mapped[UUID | None] = mapped_column(Uuid)
    sent_at: Mapped[datetime] = mapped_column(DateTimeUTC(timezone=True))
    updated_at: Mapped[datetime] = mapped_column(DateTimeUTC(timezone=True))
    deleted_at: Mapped[datetime | None] = mapped_column(DateTimeUTC(timezone=True))


class Mention(DefaultBase):
    """A member whom a message mentions with an @, as resolved when it was sent."""

    __tablename__ = "mentions"

    conversation_id: Mapped[UUID] = mapped_column(ForeignKey("conversations.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
