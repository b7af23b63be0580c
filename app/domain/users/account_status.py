"""Whether an account is open: neither closed nor suspended."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_

from app.domain.users.models import User


def account_is_open() -> ColumnElement[bool]:
    """Of a joined `User`: may be logged in."""
    return and_(User.is_active, User.suspended_at.is_(None), User.closed_at.is_(None))
