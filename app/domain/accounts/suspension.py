"""Suspends an account, as an operator: its logins end, its sockets close, and it cannot log in until restored.

Nothing is lost: the account remains a member of its conversations and is unchanged when it is restored.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.audit import log
from app.domain.auth.refresh import end_logins
from app.domain.error_catalogue import account_closed, account_not_found, already_suspended, not_suspended, own_account
from app.domain.users.models import LoginSession, User
from app.domain.validation import clean

MAX_REASON_LENGTH = 500


async def suspend(session: AsyncSession, by: UUID | None, user: UUID, *, reason: str) -> None:
    """Suspends the account. `reason` goes into the audit log: one line of 1 to 500 characters. `by` is None for the
    command line.

    Raises:
        Invalid: the reason is not valid.
        NotFound: no such account.
        Conflict: `own_account`, `account_closed`, `already_suspended`.
    """
    reason = clean(reason, "reason", MAX_REASON_LENGTH, one_line=True)
    if user == by:
        raise own_account()
    # A concurrent login holds this row: the update waits for it, and `end_logins` then ends that login as well.
    if not await _change(session, user, User.suspended_at.is_(None), func.clock_timestamp()):
        raise already_suspended()
    await end_logins(session, LoginSession.user_id == user, refused=True)
    await log.record_action(session, by=by, action="account.suspended", subject=user, details={"reason": reason})


async def restore(session: AsyncSession, by: UUID | None, user: UUID) -> None:
    """Restores the account as it was; its owner must log in again.

    Raises:
        NotFound: no such account.
        Conflict: `account_closed`, `not_suspended`.
    """
    if not await _change(session, user, User.suspended_at.is_not(None), None):
        raise not_suspended()
    await log.record_action(session, by=by, action="account.restored", subject=user)


async def _change(
    session: AsyncSession, user: UUID, state: ColumnElement[bool], suspended_at: ColumnElement[object] | None
) -> bool:
    """Returns whether the account was in `state`, and so was changed."""
    changed = await session.scalar(
        update(User)
        .where(User.id == user, User.closed_at.is_(None), state)
        .values(suspended_at=suspended_at)
        .returning(User.id)
    )
    if changed is None:
        account = (await session.execute(select(User.closed_at).where(User.id == user))).one_or_none()
        if account is None:
            raise account_not_found()
        if account.closed_at is not None:
            raise account_closed()
    return changed is not None
