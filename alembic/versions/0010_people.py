"""Adds `who_may_add` to accounts, hidden direct conversations, and an index for every search."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from alembic import op

revision = "0010"
down_revision = "0008"
branch_labels = None
depends_on = None

SQL = Path(__file__).resolve().parent.parent / "sql"
PUBLIC = sa.text("NOT is_private AND deleted_at IS NULL")
WHOLE_NAME = sa.text("lower(first_name || ' ' || last_name) text_pattern_ops")


def upgrade() -> None:
    op.add_column("users", sa.Column("who_may_add", sa.String(9), server_default="everybody", nullable=False))
    op.create_check_constraint("who_may_add", "users", "who_may_add IN ('everybody', 'contacts', 'nobody')")
    op.add_column("memberships", sa.Column("hidden_seq", sa.BigInteger(), server_default=sa.text("-1"), nullable=False))
    # While they are made, people and conversations are read and not written.
    op.create_index("ix_memberships_hidden", "memberships", ["user_id"], postgresql_where=sa.text("hidden_seq >= 0"))
    op.create_index("ix_users_full_name_prefix", "users", [WHOLE_NAME])
    op.create_index("ix_users_last_name_prefix", "users", [sa.text("lower(last_name) text_pattern_ops")])
    op.create_index(
        "ix_conversations_public_name_prefix",
        "conversations",
        [sa.text("lower(name) text_pattern_ops")],
        postgresql_where=PUBLIC,
    )
    op.create_index("ix_conversations_public", "conversations", ["id"], postgresql_where=PUBLIC)
    op.execute("DROP FUNCTION send_messages (uuid[], json)")
    op.execute((SQL / "send_messages_0010.sql").read_text(encoding="utf-8"))


def downgrade() -> None:
    op.execute("DROP FUNCTION send_messages (uuid[], json)")
    op.execute((SQL / "send_messages_0008.sql").read_text(encoding="utf-8"))
    op.drop_index("ix_conversations_public", "conversations")
    op.drop_index("ix_conversations_public_name_prefix", "conversations")
    op.drop_index("ix_users_last_name_prefix", "users")
    op.drop_index("ix_users_full_name_prefix", "users")
    op.drop_index("ix_memberships_hidden", "memberships")
    op.drop_column("memberships", "hidden_seq")
    op.drop_constraint("who_may_add", "users")
    op.drop_column("users", "who_may_add")
