"""Requires the current password again, before an action that cannot be undone."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.auth import security_log
from app.domain.auth.passwords import Passwords, released_connection
from app.domain.error_catalogue import not_authenticated, wrong_password
from app.domain.orm import AnyRow
from app.domain.users.caller import Caller
from app.domain.users.models import User


async def require_password(
    session: AsyncSession, caller: Caller, current_password: str, passwords: Passwords
) -> AnyRow:
    """Verifies the password and returns the caller's locked row: `id, email, first_name, last_name, password_hash,
    credentials`.

    A caller that releases its connection afterwards must match `password_hash` again: of two concurrent changes, the
    second then fails with `wrong_password`.

    Raises:
        Invalid: `wrong_password`.
        Unavailable: too many passwords are being hashed.
    """
    found = await session.execute(select(User.password_hash).where(User.id == caller.user, User.closed_at.is_(None)))
    stored = found.scalar_one_or_none()
    if stored is None:
        raise not_authenticated()
    async with released_connection(session):
        if not await passwords.verify(stored, current_password):
            security_log.log_failure("password_wrong", caller.user)
            raise wrong_password()
    # Checked again under the lock: the password may have changed during verification.
    account = await session.execute(
        select(User.id, User.email, User.first_name, User.last_name, User.password_hash, User.credentials)
        .where(User.id == caller.user, User.password_hash == stored, User.closed_at.is_(None))
        .with_for_update(key_share=True)
    )
    row = account.one_or_none()
    if row is None:
        raise wrong_password()
    return row
