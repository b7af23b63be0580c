"""The house's first floor: people and logins, conversations with their two counters, the partitioned log, sending."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from advanced_alchemy.types import GUID, DateTimeUTC

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

PARTITIONS = 16
SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    op.create_table(
        "users",
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("first_name", sa.String(length=100), nullable=False),
        sa.Column("last_name", sa.String(length=100), nullable=False),
        sa.Column("password_hash", sa.String(length=255), nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("is_operator", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("created_at", DateTimeUTC(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("suspended_at", DateTimeUTC(timezone=True), nullable=True),
        sa.Column("closed_at", DateTimeUTC(timezone=True), nullable=True),
        sa.Column("id", GUID(length=16), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
    )
    op.create_index(
        "ix_users_full_name_trgm",
        "users",
        [sa.literal_column("lower(first_name || ' ' || last_name) gin_trgm_ops")],
        unique=False,
        postgresql_using="gin",
    )
    op.create_index("uq_users_email_lower", "users", [sa.literal_column("lower(email)")], unique=True)
    op.create_table(
        "login_sessions",
        sa.Column("user_id", GUID(length=16), nullable=False),
        sa.Column("generation", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("rotated_at", DateTimeUTC(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_at", DateTimeUTC(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("last_used_at", DateTimeUTC(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", DateTimeUTC(timezone=True), nullable=False),
        sa.Column("address", sa.String(length=45), server_default="", nullable=False),
        sa.Column("user_agent", sa.String(length=255), server_default="", nullable=False),
        sa.Column("revoked_at", DateTimeUTC(timezone=True), nullable=True),
        sa.Column("revoked_bucket", sa.Integer(), nullable=True),
        sa.Column("id", GUID(length=16), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_login_sessions_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_login_sessions")),
    )
    op.create_index("ix_login_sessions_expires_at", "login_sessions", ["expires_at"], unique=False)
    op.create_index(
        "ix_login_sessions_revoked_bucket",
        "login_sessions",
        ["revoked_bucket"],
        unique=False,
        postgresql_where=sa.text("revoked_bucket IS NOT NULL"),
    )
    op.create_index("ix_login_sessions_user_id", "login_sessions", ["user_id"], unique=False)
    op.create_table(
        "socket_tickets",
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("session_id", GUID(length=16), nullable=False),
        sa.Column("expires_at", DateTimeUTC(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["login_sessions.id"],
            name=op.f("fk_socket_tickets_session_id_login_sessions"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_socket_tickets")),
    )
    op.create_index("ix_socket_tickets_expires_at", "socket_tickets", ["expires_at"], unique=False)
    op.create_table(
        "conversations",
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("name", sa.String(length=100), server_default="", nullable=False),
        sa.Column("is_private", sa.Boolean(), nullable=False),
        sa.Column("created_by", GUID(length=16), nullable=False),
        sa.Column("creator_id", GUID(length=16), nullable=False),
        sa.Column("direct_key", sa.String(length=73), nullable=True),
        sa.Column("created_at", DateTimeUTC(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", DateTimeUTC(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("deleted_at", DateTimeUTC(timezone=True), nullable=True),
        sa.Column("last_seq", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("position", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("meta_position", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("edited_position", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("changed_by", GUID(length=16), nullable=True),
        sa.Column("member_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "active_bucket",
            sa.Integer(),
            server_default=sa.text("floor(extract(epoch from clock_timestamp()) / 10)::int"),
            nullable=False,
        ),
        sa.Column("id", GUID(length=16), nullable=False),
        sa.CheckConstraint("kind IN ('group', 'direct')", name=op.f("ck_conversations_kind")),
        sa.CheckConstraint("position >= last_seq", name=op.f("ck_conversations_position")),
        sa.ForeignKeyConstraint(["changed_by"], ["users.id"], name=op.f("fk_conversations_changed_by_users")),
        sa.ForeignKeyConstraint(["created_by"], ["users.id"], name=op.f("fk_conversations_created_by_users")),
        sa.ForeignKeyConstraint(["creator_id"], ["users.id"], name=op.f("fk_conversations_creator_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conversations")),
        postgresql_with={"fillfactor": "70"},
    )
    op.create_index("ix_conversations_active_bucket", "conversations", ["active_bucket"], unique=False)
    op.create_index(
        "ix_conversations_public_name_trgm",
        "conversations",
        [sa.literal_column("lower(name) gin_trgm_ops")],
        unique=False,
        postgresql_using="gin",
        postgresql_where=sa.text("NOT is_private AND deleted_at IS NULL"),
    )
    op.create_index("uq_conversations_direct_key", "conversations", ["direct_key"], unique=True)
    op.create_table(
        "memberships",
        sa.Column("conversation_id", GUID(length=16), nullable=False),
        sa.Column("user_id", GUID(length=16), nullable=False),
        sa.Column("role", sa.String(length=6), server_default="member", nullable=False),
        sa.Column("joined_at", DateTimeUTC(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("left_at", DateTimeUTC(timezone=True), nullable=True),
        sa.Column("ended", sa.String(length=7), nullable=True),
        sa.Column("joined_seq", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("read_seq", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_position", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("was_added", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("changed_by", GUID(length=16), nullable=True),
        sa.Column(
            "changed_bucket",
            sa.Integer(),
            server_default=sa.text("floor(extract(epoch from clock_timestamp()) / 10)::int"),
            nullable=False,
        ),
        sa.CheckConstraint("ended IN ('left', 'removed')", name=op.f("ck_memberships_ended")),
        sa.CheckConstraint("role IN ('admin', 'member')", name=op.f("ck_memberships_role")),
        sa.CheckConstraint("(left_at IS NULL) = (ended IS NULL)", name=op.f("ck_memberships_ended_when_left")),
        sa.ForeignKeyConstraint(["changed_by"], ["users.id"], name=op.f("fk_memberships_changed_by_users")),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversations.id"],
            name=op.f("fk_memberships_conversation_id_conversations"),
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_memberships_user_id_users")),
        sa.PrimaryKeyConstraint("conversation_id", "user_id", name=op.f("pk_memberships")),
        postgresql_with={"fillfactor": "70"},
    )
    op.create_index("ix_memberships_changed_bucket", "memberships", ["changed_bucket"], unique=False)
    op.create_index(
        "ix_memberships_conversation_id_position",
        "memberships",
        ["conversation_id", "position"],
        unique=False,
    )
    op.create_index(
        "ix_memberships_user_id",
        "memberships",
        ["user_id"],
        unique=False,
        postgresql_where=sa.text("left_at IS NULL"),
    )
    op.create_table(
        "messages",
        sa.Column("conversation_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("sender_id", sa.Uuid(), nullable=False),
        sa.Column("created_position", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("message_type", sa.String(length=5), nullable=False),
        sa.Column("text", sa.Text(), server_default="", nullable=False),
        sa.Column("media_url", sa.String(length=2048), server_default="", nullable=False),
        sa.Column("client_id", sa.String(length=64), nullable=True),
        sa.Column("digest", sa.LargeBinary(length=16), nullable=True),
        sa.Column("reply_to", sa.BigInteger(), nullable=True),
        sa.Column("changed_by", sa.Uuid(), nullable=True),
        sa.Column("sent_at", DateTimeUTC(timezone=True), nullable=False),
        sa.Column("updated_at", DateTimeUTC(timezone=True), nullable=False),
        sa.Column("deleted_at", DateTimeUTC(timezone=True), nullable=True),
        sa.CheckConstraint(
            "message_type IN ('text', 'image', 'audio', 'video')", name=op.f("ck_messages_message_type")
        ),
        sa.PrimaryKeyConstraint("conversation_id", "seq", name=op.f("pk_messages")),
        postgresql_partition_by="HASH (conversation_id)",
    )
    op.create_index("ix_messages_conversation_id_position", "messages", ["conversation_id", "position"], unique=False)
    op.create_index(
        "uq_messages_client_id",
        "messages",
        ["conversation_id", "sender_id", "client_id"],
        unique=True,
        postgresql_where=sa.text("client_id IS NOT NULL"),
    )
    op.create_index("uq_messages_conversation_id_id", "messages", ["conversation_id", "id"], unique=True)
    for part in range(PARTITIONS):
        op.execute(
            f"CREATE TABLE messages_p{part:02d} PARTITION OF messages "
            f"FOR VALUES WITH (MODULUS {PARTITIONS}, REMAINDER {part})"
        )
    op.execute((SQL / "send_messages_0001.sql").read_text(encoding="utf-8"))


def downgrade() -> None:
    op.execute("DROP FUNCTION send_messages")
    for table in ("messages", "memberships", "conversations", "socket_tickets", "login_sessions", "users"):
        op.drop_table(table)
