"""Notifications: subscriptions, mentions, what was told in the app, and why or why not."""

from __future__ import annotations

import sqlalchemy as sa
from advanced_alchemy.types import GUID, DateTimeUTC

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TIME = DateTimeUTC(timezone=True)


def upgrade() -> None:
    op.create_table(
        "subscriptions",
        sa.Column("conversation_id", GUID(length=16), nullable=False),
        sa.Column("user_id", GUID(length=16), nullable=False),
        sa.Column("level", sa.String(length=8), server_default="all", nullable=False),
        sa.Column("muted_until", TIME, nullable=True),
        sa.Column("mails", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("decided_seq", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("mailed_seq", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("mailed_at", TIME, nullable=True),
        sa.Column("mail_due_at", TIME, nullable=True),
        sa.CheckConstraint("level IN ('all', 'mentions', 'none')", name=op.f("ck_subscriptions_level")),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name=op.f("fk_subscriptions_conversation_id_conversations")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_subscriptions_user_id_users")),
        sa.PrimaryKeyConstraint("conversation_id", "user_id", name=op.f("pk_subscriptions")),
        postgresql_with={"fillfactor": "80"},
    )
    op.create_index(
        "ix_subscriptions_mail_due_at",
        "subscriptions",
        ["mail_due_at"],
        postgresql_where=sa.text("mail_due_at IS NOT NULL"),
    )
    op.create_index("ix_subscriptions_user_id", "subscriptions", ["user_id"])
    op.create_table(
        "mentions",
        sa.Column("conversation_id", GUID(length=16), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("user_id", GUID(length=16), nullable=False),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name=op.f("fk_mentions_conversation_id_conversations")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_mentions_user_id_users")),
        sa.PrimaryKeyConstraint("conversation_id", "seq", "user_id", name=op.f("pk_mentions")),
    )
    op.create_table(
        "notifications",
        sa.Column("user_id", GUID(length=16), nullable=False),
        sa.Column("conversation_id", GUID(length=16), nullable=False),
        sa.Column("kind", sa.String(length=7), nullable=False),
        sa.Column("from_seq", sa.BigInteger(), nullable=False),
        sa.Column("up_to_seq", sa.BigInteger(), nullable=False),
        sa.Column("created_at", TIME, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("updated_at", TIME, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("read_at", TIME, nullable=True),
        sa.Column("id", GUID(length=16), nullable=False),
        sa.CheckConstraint("kind IN ('unread', 'mention')", name=op.f("ck_notifications_kind")),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name=op.f("fk_notifications_conversation_id_conversations")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_notifications_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notifications")),
    )
    op.create_index(
        "uq_notifications_open",
        "notifications",
        ["user_id", "conversation_id"],
        unique=True,
        postgresql_where=sa.text("read_at IS NULL"),
    )
    op.create_index("ix_notifications_user_id_id", "notifications", ["user_id", "id"])
    op.create_index("ix_notifications_updated_at", "notifications", ["updated_at"])
    op.create_table(
        "notification_decisions",
        sa.Column("conversation_id", GUID(length=16), nullable=False),
        sa.Column("user_id", GUID(length=16), nullable=False),
        sa.Column("channel", sa.String(length=4), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("from_seq", sa.BigInteger(), nullable=False),
        sa.Column("up_to_seq", sa.BigInteger(), nullable=False),
        sa.Column("decided_at", TIME, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("mail_id", sa.Uuid(), nullable=True),
        sa.Column("id", GUID(length=16), nullable=False),
        sa.CheckConstraint("channel IN ('app', 'mail')", name=op.f("ck_notification_decisions_channel")),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversations.id"],
            name=op.f("fk_notification_decisions_conversation_id_conversations"),
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_notification_decisions_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notification_decisions")),
    )
    op.create_index(
        "ix_notification_decisions_whose", "notification_decisions", ["conversation_id", "user_id", "up_to_seq"]
    )
    op.create_index("ix_notification_decisions_decided_at", "notification_decisions", ["decided_at"])
    op.create_index(
        "ix_notification_decisions_mail_id",
        "notification_decisions",
        ["mail_id"],
        postgresql_where=sa.text("mail_id IS NOT NULL"),
    )
    op.create_table(
        "progress",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("bucket", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_progress")),
    )


def downgrade() -> None:
    for table in ("progress", "notification_decisions", "notifications", "mentions", "subscriptions"):
        op.drop_table(table)
