"""Mails, registrations and mailed tokens; second factors; who must be told anew what a person is called."""

from __future__ import annotations

import sqlalchemy as sa
from advanced_alchemy.types import GUID, DateTimeUTC
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TIME = DateTimeUTC(timezone=True)


def upgrade() -> None:
    op.add_column("users", sa.Column("credentials", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.add_column("users", sa.Column("version", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.add_column("users", sa.Column("told_version", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.add_column("users", sa.Column("told_through", sa.Uuid(), nullable=True))
    op.add_column("users", sa.Column("teller_until", TIME, nullable=True))
    op.create_index("ix_users_untold", "users", ["id"], postgresql_where=sa.text("version > told_version"))
    op.create_table(
        "mails",
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("address", sa.String(length=254), nullable=False),
        sa.Column("user_id", GUID(length=16), nullable=True),
        sa.Column("registration_id", sa.Uuid(), nullable=True),
        sa.Column("facts", postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("created_at", TIME, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("due_at", TIME, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("claimed_at", TIME, nullable=True),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=True),
        sa.Column("settled_at", TIME, nullable=True),
        sa.Column("id", GUID(length=16), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_mails_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mails")),
    )
    op.create_index("ix_mails_due_at", "mails", ["due_at"], postgresql_where=sa.text("outcome IS NULL"))
    op.create_index("ix_mails_settled_at", "mails", ["settled_at"], postgresql_where=sa.text("outcome IS NOT NULL"))
    op.create_index("ix_mails_user_id", "mails", ["user_id"])
    op.create_table(
        "registrations",
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("first_name", sa.String(length=100), nullable=False),
        sa.Column("last_name", sa.String(length=100), nullable=False),
        sa.Column("password_hash", sa.String(length=255), nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("id", GUID(length=16), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_registrations")),
    )
    op.create_index("ix_registrations_email_lower", "registrations", [sa.literal_column("lower(email)")])
    op.create_index("ix_registrations_expires_at", "registrations", ["expires_at"])
    op.create_table(
        "mailed_tokens",
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("purpose", sa.String(length=10), nullable=False),
        sa.Column("user_id", GUID(length=16), nullable=True),
        sa.Column("registration_id", GUID(length=16), nullable=True),
        sa.Column("email", sa.String(length=254), server_default="", nullable=False),
        sa.Column("credentials", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.CheckConstraint("purpose IN ('activation', 'password', 'email')", name=op.f("ck_mailed_tokens_purpose")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_mailed_tokens_user_id_users")),
        sa.ForeignKeyConstraint(
            ["registration_id"],
            ["registrations.id"],
            name=op.f("fk_mailed_tokens_registration_id_registrations"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_mailed_tokens")),
    )
    for column in ("expires_at", "registration_id", "user_id"):
        op.create_index(f"ix_mailed_tokens_{column}", "mailed_tokens", [column])
    op.create_table(
        "second_factors",
        sa.Column("user_id", GUID(length=16), nullable=False),
        sa.Column("sealed_secret", sa.LargeBinary(length=255), nullable=False),
        sa.Column("confirmed_at", TIME, nullable=True),
        sa.Column("last_step", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_second_factors_user_id_users")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_second_factors")),
    )
    op.create_table(
        "recovery_codes",
        sa.Column("user_id", GUID(length=16), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["second_factors.user_id"],
            name=op.f("fk_recovery_codes_user_id_second_factors"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("user_id", "digest", name=op.f("pk_recovery_codes")),
    )


def downgrade() -> None:
    for table in ("recovery_codes", "second_factors", "mailed_tokens", "registrations", "mails"):
        op.drop_table(table)
    op.drop_index("ix_users_untold", table_name="users")
    for column in ("teller_until", "told_through", "told_version", "version", "credentials"):
        op.drop_column("users", column)
