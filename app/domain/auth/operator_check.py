"""Operators administer the chat; `chat create-operator` creates them. Every check reads Postgres: revoking is
instant."""

from __future__ import annotations

from sqlalchemy import exists, select

from app.domain.auth.login_status import login_is_live
from app.domain.error_catalogue import second_factor_needed
from app.domain.orm import Reader
from app.domain.users.account_status import account_is_open
from app.domain.users.caller import Caller
from app.domain.users.models import LoginSession, SecondFactor, User


async def is_operator(reader: Reader, caller: Caller, *, need_second_factor: bool = False) -> bool:
    """Returns whether the caller is an operator with a live login.

    Raises:
        Forbidden: `second_factor_needed`: the operator must have a second factor and has none.
    """
    has_factor = exists().where(SecondFactor.user_id == User.id, SecondFactor.confirmed_at.is_not(None))
    found = await reader.execute(
        select(User.id, has_factor.label("has_factor"))
        .join(LoginSession, LoginSession.user_id == User.id)
        .where(
            User.id == caller.user,
            LoginSession.id == caller.session,
            User.is_operator,
            login_is_live(),
            account_is_open(),
        )
    )
    row = found.one_or_none()
    if row is not None and need_second_factor and not row.has_factor:
        raise second_factor_needed()
    return row is not None
