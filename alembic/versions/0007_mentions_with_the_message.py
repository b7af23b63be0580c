"""Who is named by a message is kept by the function that stores it: a statement less for each batch."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

SQL = Path(__file__).resolve().parent.parent / "sql"
ARGUMENTS = "uuid[], uuid[], uuid[], uuid[], text[], bytea[], text[], text[], text[], bigint[], boolean[], text[]"


def upgrade() -> None:
    # Beside the former one, which has an argument less: processes of the release before go on while these start.
    op.execute((SQL / "send_messages_0007.sql").read_text(encoding="utf-8"))


def downgrade() -> None:
    op.execute(f"DROP FUNCTION send_messages ({ARGUMENTS})")
