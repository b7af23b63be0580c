"""Closes an account: its personal data is erased and its logins end at once; conversations follow soon after.

The row stays as "deleted user", because messages refer to it. Leaving the groups is a follow-up
(`app.domain.conversations.name_changes`); if it is lost, a sweep finds it again from the row.
"""

from __future__ import annotations

from secrets import token_hex

from sqlalchemy import delete, func, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.audit import log
from app.domain.auth import mailed_tokens
from app.domain.auth.passwords import Passwords
from app.domain.auth.reauthentication import require_password
from app.domain.auth.refresh import end_logins
from app.domain.error_catalogue import wrong_password
from app.domain.events import FollowUp, enqueue_after_commit
from app.domain.mails import outbox
from app.domain.users.caller import Caller
from app.domain.users.models import LoginSession, SecondFactor, User

FIRST_NAME, LAST_NAME = "deleted", "user"


async def close(session: AsyncSession, caller: Caller, *, current_password: str, passwords: Passwords) -> None:
    """Closes the caller's account.

    Raises:
        Invalid: `wrong_password`.
        Unavailable: too many passwords are being hashed.
    """
    account = await require_password(session, caller, current_password, passwords)
    closed = await session.scalar(
        update(User)
        .where(User.id == account.id, User.password_hash == account.password_hash, User.closed_at.is_(None))
        .values(
            # A domain that never exists (RFC 2606) frees the address. The local part is random, not the account's id:
            # others know the id, and an account at that address would have blocked this update.
            email=f"{token_hex(16)}@closed.invalid",
            first_name=FIRST_NAME,
            last_name=LAST_NAME,
            password_hash="",
            is_operator=False,
            closed_at=func.clock_timestamp(),
            version=User.version + 1,
            told_through=None,
        )
        .returning(User.id)
    )
    if closed is None:
        raise wrong_password()
    await end_logins(session, LoginSession.user_id == account.id)
    await session.execute(
        update(LoginSession).where(LoginSession.user_id == account.id).values(address="", user_agent="")
    )
    await mailed_tokens.void_all(session, account.id)
    await session.execute(delete(SecondFactor).where(SecondFactor.user_id == account.id))
    await outbox.withdraw(session, account.id)
    await outbox.post(session, "account_closed", account.email, user=account.id, first_name=account.first_name)
    await log.record_action(session, by=account.id, action="account.closed", subject=account.id)
    enqueue_after_commit(session, FollowUp("person", account.id))
