"""Accounts, notifications, failed tasks, throttles, operators, searches: all that follows release 1.0.0.

It stands in place of revisions 0002 to 0011, which no release contained. `app.db.legacy_schema` recognises a database
that has them.
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0012"
down_revision = "0001"
branch_labels = None
depends_on = None

SQL = Path(__file__).resolve().parent.parent / "sql"
TABLES = (SQL / "tables_0012.sql").read_text(encoding="utf-8")
LEFT_NAMES = (SQL / "left_names_0012.sql").read_text(encoding="utf-8")
"""Not in revisions 0002 to 0011: `app.db.legacy_schema` executes it for a database that has them."""

SEND_MESSAGES = (SQL / "send_messages_0012.sql").read_text(encoding="utf-8")
"""Stands beside the function of 1.0.0, whose arguments differ: processes of that release continue while these start."""

NEW_TABLES = (
    "broadcast_mails",
    "broadcast_cursors",
    "broadcasts",
    "audit_log",
    "throttle_flights",
    "throttle_attempts",
    "throttle_policies",
    "failed_tasks",
    "progress",
    "notification_decisions",
    "notifications",
    "mentions",
    "subscriptions",
    "recovery_codes",
    "second_factors",
    "mailed_tokens",
    "registrations",
    "mails",
)
NEW_USER_COLUMNS = ("who_may_add", "teller_until", "told_through", "told_version", "version", "credentials")


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(LEFT_NAMES)
    op.execute(SEND_MESSAGES)


def downgrade() -> None:
    op.execute("DROP FUNCTION send_messages (uuid[], json, json)")
    op.drop_index("ix_conversations_public", "conversations")
    op.drop_index("ix_conversations_public_name_prefix", "conversations")
    op.drop_index("ix_users_last_name_prefix", "users")
    op.drop_index("ix_users_full_name_prefix", "users")
    op.drop_index("ix_memberships_left_names", "memberships")
    op.drop_column("memberships", "left_last_name")
    op.drop_column("memberships", "left_first_name")
    op.drop_index("ix_memberships_hidden", "memberships")
    op.drop_column("memberships", "hidden_seq")
    op.create_index("ix_memberships_conversation_id_position", "memberships", ["conversation_id", "position"])
    op.drop_index("ix_memberships_changes", "memberships")
    for table in NEW_TABLES:
        op.drop_table(table)
    op.execute("DROP FUNCTION guard_audit_log()")
    op.drop_index("ix_users_untold", "users")
    op.drop_constraint(op.f("ck_users_who_may_add"), "users")
    for column in NEW_USER_COLUMNS:
        op.drop_column("users", column)
