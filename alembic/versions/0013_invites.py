"""Invites to register. Processes of the release before run on: they read none of it, and register without an invite."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

TABLES = (Path(__file__).resolve().parent.parent / "sql" / "tables_0013.sql").read_text(encoding="utf-8")


def upgrade() -> None:
    op.execute(TABLES)


def downgrade() -> None:
    op.drop_index("ix_registrations_invite_id", "registrations")
    op.drop_column("registrations", "invite_id")
    op.drop_table("invites")
