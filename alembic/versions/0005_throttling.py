"""Throttles: policies changed while the chat runs, and who attempted how often what they limit."""

from __future__ import annotations

import sqlalchemy as sa
from advanced_alchemy.types import GUID, DateTimeUTC

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TIME = DateTimeUTC(timezone=True)


def upgrade() -> None:
    op.create_table(
        "throttle_policies",
        sa.Column("policy", sa.String(length=32), nullable=False),
        sa.Column("user_id", GUID(length=16), nullable=True),
        sa.Column("rate", sa.String(length=32), nullable=True),
        sa.Column("previous", sa.String(length=32), nullable=False),
        sa.Column("changed_by", GUID(length=16), nullable=True),
        sa.Column("changed_at", TIME, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("changed_bucket", sa.Integer(), nullable=False),
        sa.Column("id", GUID(length=16), nullable=False),
        sa.ForeignKeyConstraint(["changed_by"], ["users.id"], name=op.f("fk_throttle_policies_changed_by_users")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_throttle_policies_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_throttle_policies")),
    )
    op.create_index(
        "uq_throttle_policies_whose",
        "throttle_policies",
        ["policy", "user_id"],
        unique=True,
        postgresql_nulls_not_distinct=True,
    )
    op.create_index("ix_throttle_policies_changed_bucket", "throttle_policies", ["changed_bucket"])
    op.create_table(
        "throttle_attempts",
        sa.Column("policy", sa.String(length=32), nullable=False),
        sa.Column("period", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("hour", TIME, nullable=False),
        sa.Column("subject", GUID(length=16), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("refused", sa.BigInteger(), nullable=False),
        sa.Column("windows", sa.ARRAY(sa.Integer()), nullable=False),
        sa.PrimaryKeyConstraint("policy", "period", "hour", "subject", name=op.f("pk_throttle_attempts")),
    )
    op.create_index("ix_throttle_attempts_hour", "throttle_attempts", ["hour"])
    op.create_table(
        "throttle_flights",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("minute", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_throttle_flights")),
    )
    op.create_index("ix_throttle_flights_minute", "throttle_flights", ["minute"])


def downgrade() -> None:
    for table in ("throttle_flights", "throttle_attempts", "throttle_policies"):
        op.drop_table(table)
