"""Tasks of which no try is left."""

from __future__ import annotations

import sqlalchemy as sa
from advanced_alchemy.types import GUID, DateTimeUTC

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TIME = DateTimeUTC(timezone=True)
NOW = sa.text("clock_timestamp()")


def upgrade() -> None:
    op.create_table(
        "failed_tasks",
        sa.Column("task", sa.String(length=100), nullable=False),
        sa.Column("arguments", sa.String(length=1_000), nullable=False),
        sa.Column("queue", sa.String(length=50), nullable=False),
        sa.Column("reason", sa.String(length=7), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("worker", sa.String(length=200), server_default="", nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("times", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("first_failed_at", TIME, server_default=NOW, nullable=False),
        sa.Column("failed_at", TIME, server_default=NOW, nullable=False),
        sa.Column("asked_at", TIME, nullable=True),
        sa.Column("retried_at", TIME, nullable=True),
        sa.Column("id", GUID(length=16), nullable=False),
        sa.CheckConstraint("reason IN ('failed', 'timeout', 'lost', 'refused')", name=op.f("ck_failed_tasks_reason")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_failed_tasks")),
    )
    op.create_index(
        "uq_failed_tasks_open",
        "failed_tasks",
        ["task", "arguments"],
        unique=True,
        postgresql_where=sa.text("retried_at IS NULL"),
    )
    op.create_index(
        "ix_failed_tasks_asked_at",
        "failed_tasks",
        ["asked_at"],
        postgresql_where=sa.text("asked_at IS NOT NULL AND retried_at IS NULL"),
    )
    op.create_index("ix_failed_tasks_failed_at", "failed_tasks", ["failed_at"])


def downgrade() -> None:
    op.drop_table("failed_tasks")
