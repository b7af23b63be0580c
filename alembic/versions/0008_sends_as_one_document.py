"""A batch of sends is one JSON array, and a member is looked for by key in a conversation of any size."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import text

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

FORMER = "ix_memberships_conversation_id_position"
INDEX = "ix_memberships_changes"
COLUMNS = ["conversation_id", "position"]
SQL = Path(__file__).resolve().parent.parent / "sql"


def upgrade() -> None:
    # Beside the former one, whose arguments differ: processes of the release before go on while these start.
    op.execute((SQL / "send_messages_0008.sql").read_text(encoding="utf-8"))
    # While it is made members are read, and written afterwards; only its last step keeps readers out. Not CONCURRENTLY:
    # that waits for deploys that migrate at once, which wait for this one.
    op.create_index(INDEX, "memberships", COLUMNS, postgresql_where=text("position > 0"))
    op.drop_index(FORMER, "memberships")


def downgrade() -> None:
    op.create_index(FORMER, "memberships", COLUMNS)
    op.drop_index(INDEX, "memberships")
    op.execute("DROP FUNCTION send_messages (uuid[], json)")
