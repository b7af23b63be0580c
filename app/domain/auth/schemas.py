"""Views of logins and tickets, as clients see them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from app.domain.schemas import View


class Login(View, frozen=True, kw_only=True):
    """One login session of the caller; `current` marks the session that made this request."""

    id: UUID
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    address: str
    user_agent: str
    current: bool


class LoginPage(View, frozen=True, kw_only=True):
    items: list[Login]
    next: str | None


class Ticket(View, frozen=True, kw_only=True):
    """A single-use ticket that opens one WebSocket; `expires_in` is in seconds."""

    ticket: str
    expires_in: int
