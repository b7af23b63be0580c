"""What operators do: the audit, which nobody changes; broadcasts."""

from __future__ import annotations

import sqlalchemy as sa
from advanced_alchemy.types import GUID, DateTimeUTC
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TIME = DateTimeUTC(timezone=True)

GUARD = """
CREATE FUNCTION guard_audit_log() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF OLD.at < clock_timestamp() - interval '30 days' THEN
            RETURN OLD;
        END IF;
        RAISE EXCEPTION 'the audit keeps every entry for 30 days at least' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RAISE EXCEPTION 'the audit is append-only' USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE TRIGGER guard_rows BEFORE UPDATE OR DELETE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION guard_audit_log();
CREATE TRIGGER guard_table BEFORE TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION guard_audit_log();

-- Also for sessions that replay a replica's changes, where ordinary triggers sleep.
ALTER TABLE audit_log ENABLE ALWAYS TRIGGER guard_rows;
ALTER TABLE audit_log ENABLE ALWAYS TRIGGER guard_table;
"""


def upgrade() -> None:
    op.create_table(
        "audit_log",
        sa.Column("at", TIME, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("by", sa.Uuid(), nullable=True),
        sa.Column("action", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.Uuid(), nullable=True),
        sa.Column("details", postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("id", GUID(length=16), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
    )
    op.create_index("ix_audit_log_at", "audit_log", ["at", "id"])
    op.create_index("ix_audit_log_action", "audit_log", ["action", "at", "id"])
    op.create_index("ix_audit_log_by", "audit_log", ["by", "at", "id"])
    op.create_index("ix_audit_log_subject", "audit_log", ["subject", "at", "id"])
    op.execute(GUARD)
    op.create_table(
        "broadcasts",
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("audience", sa.String(length=13), nullable=False),
        sa.Column("conversations", sa.ARRAY(sa.Uuid()), server_default=sa.text("'{}'::uuid[]"), nullable=False),
        sa.Column("created_by", GUID(length=16), nullable=True),
        sa.Column("created_at", TIME, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("send_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=True),
        sa.Column("sent_at", TIME, nullable=True),
        sa.Column("canceled_at", TIME, nullable=True),
        sa.Column("mail", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("mails_per_second", sa.Integer(), server_default=sa.text("10"), nullable=False),
        sa.Column("mails_due_at", TIME, nullable=True),
        sa.Column("mailed_through", sa.Uuid(), nullable=True),
        *(
            sa.Column(f"mails_{name}", sa.Integer(), server_default=sa.text("0"), nullable=False)
            for name in ("planned", "posted", "sent", "refused", "unknown", "dropped")
        ),
        sa.Column("id", GUID(length=16), nullable=False),
        sa.CheckConstraint(
            "audience IN ('everybody', 'operators', 'conversations')", name=op.f("ck_broadcasts_audience")
        ),
        sa.ForeignKeyConstraint(["created_by"], ["users.id"], name=op.f("fk_broadcasts_created_by_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_broadcasts")),
    )
    op.create_index("uq_broadcasts_number", "broadcasts", ["number"], unique=True)
    op.create_index(
        "ix_broadcasts_send_at",
        "broadcasts",
        ["send_at"],
        postgresql_where=sa.text("number IS NULL AND canceled_at IS NULL"),
    )
    op.create_index(
        "ix_broadcasts_mails_due_at",
        "broadcasts",
        ["mails_due_at"],
        postgresql_where=sa.text("mails_due_at IS NOT NULL"),
    )
    op.create_table(
        "broadcast_cursors",
        sa.Column("user_id", GUID(length=16), nullable=False),
        sa.Column("seen", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_broadcast_cursors_user_id_users")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_broadcast_cursors")),
    )
    op.create_table(
        "broadcast_mails",
        sa.Column("broadcast_id", GUID(length=16), nullable=False),
        sa.Column("user_id", GUID(length=16), nullable=False),
        sa.Column("mail_id", sa.Uuid(), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=True),
        sa.ForeignKeyConstraint(
            ["broadcast_id"], ["broadcasts.id"], name=op.f("fk_broadcast_mails_broadcast_id_broadcasts")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_broadcast_mails_user_id_users")),
        sa.PrimaryKeyConstraint("broadcast_id", "user_id", name=op.f("pk_broadcast_mails")),
    )
    op.create_index(
        "ix_broadcast_mails_open", "broadcast_mails", ["broadcast_id"], postgresql_where=sa.text("outcome IS NULL")
    )


def downgrade() -> None:
    for table in ("broadcast_mails", "broadcast_cursors", "broadcasts", "audit_log"):
        op.drop_table(table)
    op.execute("DROP FUNCTION guard_audit_log()")
