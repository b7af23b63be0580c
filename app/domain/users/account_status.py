"""Whether an account is open: activated, and neither closed nor suspended."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_

from app.domain.users.models import User


def account_is_open() -> ColumnElement[bool]:
    """Condition on a joined `User`: the account may log in."""
    return and_(User.is_active, User.suspended_at.is_(None), User.closed_at.is_(None))
