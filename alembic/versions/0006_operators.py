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


def downgrade() -> None:
    op.drop_table("audit_log")
    op.execute("DROP FUNCTION guard_audit_log()")
