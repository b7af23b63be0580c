"""Codes for logins: a mailed token may open the way in for an owner whose account strangers guess at."""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

NAME = "ck_mailed_tokens_purpose"
BEFORE = "purpose IN ('activation', 'password', 'email')"
AFTER = "purpose IN ('activation', 'password', 'email', 'login')"


def upgrade() -> None:
    # The rows are few (an hour's and a day's mails), so the check is made at once.
    op.drop_constraint(op.f(NAME), "mailed_tokens")
    op.create_check_constraint(op.f(NAME), "mailed_tokens", AFTER)


def downgrade() -> None:
    op.execute("DELETE FROM mailed_tokens WHERE purpose = 'login'")
    op.drop_constraint(op.f(NAME), "mailed_tokens")
    op.create_check_constraint(op.f(NAME), "mailed_tokens", BEFORE)
