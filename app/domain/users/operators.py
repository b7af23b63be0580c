"""Operators look after the chat; `chat create-operator` makes them. Postgres is asked each time: it ends at once."""

from __future__ import annotations

from sqlalchemy import select

from app.domain.rows import Reader
from app.domain.users.callers import Caller
from app.domain.users.liveness import account_is_open, login_is_live
from app.domain.users.models import LoginSession, User


async def is_operator(reader: Reader, caller: Caller) -> bool:
    """Whether the caller is one, through a login that lives."""
    found = await reader.execute(
        select(User.id)
        .join(LoginSession, LoginSession.user_id == User.id)
        .where(
            User.id == caller.user,
            LoginSession.id == caller.session,
            User.is_operator,
            login_is_live(),
            account_is_open(),
        )
    )
    return found.one_or_none() is not None
