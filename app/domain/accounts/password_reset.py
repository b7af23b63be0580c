"""Resets a forgotten password by mail, without revealing whether the address has an account."""

from __future__ import annotations

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.auth import mailed_tokens, security_log
from app.domain.auth.passwords import Passwords, check_new_password, released_connection
from app.domain.auth.refresh import end_logins
from app.domain.error_catalogue import invalid_mailed_token
from app.domain.mails import outbox
from app.domain.users.account_status import account_is_open
from app.domain.users.email_addresses import check_email
from app.domain.users.models import LoginSession, User
from app.domain.users.quotas import Quotas, allows_mail


async def request(session: AsyncSession, email: str, quotas: Quotas) -> None:
    """Mails a token to the owner of the account. The account is looked up only when the mail is sent, so known and
    unknown addresses get the same answer in the same time.

    Raises:
        Invalid: not an e-mail address.
    """
    email = check_email(email)
    if await allows_mail(quotas, email, "password"):
        await outbox.post(session, "forgotten_password", email)


async def confirm(session: AsyncSession, *, token: str, new_password: str, passwords: Passwords) -> None:
    """Sets a new password for the token's account; all its logins end and all its mailed tokens become void.

    Raises:
        Invalid: `invalid_mailed_token`, or the password is not acceptable.
        Unavailable: too many passwords are being hashed.
    """
    check_new_password(new_password, "new_password")
    seen = await mailed_tokens.find(session, token, "password")
    owner = (
        await session.execute(select(User.email, User.first_name, User.last_name).where(User.id == seen.user))
    ).one()
    check_new_password(new_password, "new_password", about=owner)
    async with released_connection(session):
        password_hash = await passwords.hash(new_password)
    held = await mailed_tokens.spend(session, token, "password")
    changed = await session.execute(
        update(User)
        .where(User.id == held.user, User.credentials == held.credentials, account_is_open())
        .values(password_hash=password_hash, credentials=User.credentials + 1)
        .returning(User.id, User.email, User.first_name)
    )
    row = changed.one_or_none()
    if row is None:
        raise invalid_mailed_token()
    await mailed_tokens.void_all(session, row.id)
    await end_logins(session, LoginSession.user_id == row.id)
    security_log.log_act("password_reset", row.id)
    await outbox.post(session, "password_changed", row.email, user=row.id, first_name=row.first_name)
