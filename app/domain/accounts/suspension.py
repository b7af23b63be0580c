"""Suspending an account: an operator's act. Its logins end, its sockets close, and nobody logs in until it is restored.

Nothing of it is lost: it stays a member of its conversations, and is found as it was when it is restored.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.audit import log
from app.domain.auth.refresh import end
from app.domain.errors import Conflict, NotFound
from app.domain.orm import UNSYNCHRONIZED
from app.domain.users.caller import Caller
from app.domain.users.models import LoginSession, User
from app.domain.validation import clean

MAX_REASON_LENGTH = 500


async def suspend(session: AsyncSession, by: Caller, user: UUID, *, reason: str) -> None:
    """From now on the account may do nothing. `reason` is for the audit: one line of 1 to 500 characters.

    Raises:
        Invalid: the reason is none.
        NotFound: there is no such account.
        Conflict: `own_account`, `account_closed`, `already_suspended`.
    """
    reason = clean(reason, "reason", MAX_REASON_LENGTH, one_line=True)
    if user == by.user:
        raise Conflict("own_account", "Nobody suspends their own account.")
    # A login that is just being made holds this row: it is waited for, and then ended with the others.
    if not await _change(session, user, User.suspended_at.is_(None), func.clock_timestamp()):
        raise Conflict("already_suspended", "This account is suspended already.")
    await end(session, LoginSession.user_id == user, refused=True)
    await log.record_action(session, by=by.user, action="account.suspended", subject=user, details={"reason": reason})


async def restore(session: AsyncSession, by: Caller, user: UUID) -> None:
    """The account is as it was before, and logs in anew.

    Raises:
        NotFound: there is no such account.
        Conflict: `account_closed`, `not_suspended`.
    """
    if not await _change(session, user, User.suspended_at.is_not(None), None):
        raise Conflict("not_suspended", "This account is not suspended.")
    await log.record_action(session, by=by.user, action="account.restored", subject=user)


async def _change(
    session: AsyncSession, user: UUID, state: ColumnElement[bool], suspended_at: ColumnElement[object] | None
) -> bool:
    """Whether the account was in that state."""
    changed = await session.scalar(
        update(User)
        .where(User.id == user, User.closed_at.is_(None), state)
        .values(suspended_at=suspended_at)
        .returning(User.id),
        execution_options=UNSYNCHRONIZED,
    )
    if changed is None:
        account = (await session.execute(select(User.closed_at).where(User.id == user))).one_or_none()
        if account is None:
            raise NotFound(detail="There is no such account.")
        if account.closed_at is not None:
            raise Conflict("account_closed", "This account is closed.")
    return changed is not None
