"""Lets the owner log in to an account under attack: with the right password and a code mailed to its address.

While wrong guesses slow an account (`Slowed`), every refused attempt gets the same answer, whether or not the account
exists or the password is right. Only the mailbox reveals more: a right password sends a code there. For everyone else a
right password, a wrong one and an unknown address run the same statements, because response time is information too
(docs/decisions/slowed-logins.md).
"""

from __future__ import annotations

from typing import Final, Literal
from uuid import UUID

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.auth import mailed_tokens, security_log
from app.domain.auth.devices import Device, has_logged_in_from, program_of
from app.domain.auth.passwords import Passwords, released_connection
from app.domain.auth.random_codes import normalize_code
from app.domain.errors import Throttled
from app.domain.mails import outbox
from app.domain.users.email_addresses import owned_by
from app.domain.users.models import User
from app.domain.users.quotas import Quotas, allows_mail

NO_USER: Final = UUID(int=0)


class Slowed(msgspec.Struct, frozen=True):
    """The account has had too many wrong guesses recently. `refusal` is the answer to every refused attempt.

    `home_passes`: the right password needs no code from a network the account has logged in from. False if the guesses
    came from that network.
    """

    refusal: Throttled
    home_passes: bool


async def check_attempt(
    session: AsyncSession,
    slowed: Slowed,
    *,
    email: str,
    password: str,
    mailed_code: str | None,
    device: Device,
    passwords: Passwords,
    quotas: Quotas,
) -> Literal["home", "code"] | None:
    """Returns how this attempt may proceed to an ordinary login: after "code" the caller must `spend` the code. None
    refuses it; with the right password a code is mailed.

    The caller returns `slowed.refusal` rather than raising it, because what is written here must be committed. `email`
    is as typed, and already cleaned.

    Raises:
        Unavailable: too many passwords are being hashed.
    """
    stored = (
        await session.execute(select(User.id, User.password_hash).where(owned_by(email), User.closed_at.is_(None)))
    ).one_or_none()
    async with released_connection(session):
        matches = await passwords.verify(stored.password_hash if stored else None, password)
    owner: UUID = stored.id if stored is not None and matches else NO_USER
    at_home = await has_logged_in_from(session, owner, device.address)
    has_code = await mailed_tokens.is_valid(session, normalize_code(mailed_code or ""), "login", owner)
    if at_home and slowed.home_passes:
        return "home"
    if has_code:
        return "code"
    # Counted separately, so that wrong guesses do not use up the owner's mails.
    may_mail = await allows_mail(quotas, email, "login" if matches else "login_refused")
    security_log.log_failure("login_slowed", stored.id if stored else None, code_mailed=matches and may_mail)
    if matches and may_mail:
        program = program_of(device.user_agent)
        await outbox.post(session, "login_code", email, network=device.address, user_agent=program)
    else:
        await outbox.post_nothing(session, "login_code")
    return None


async def spend(session: AsyncSession, mailed_code: str | None, user: UUID) -> bool:
    """Spends a code and returns whether it was still valid. Of two logins with one code, the second waits and fails."""
    return await mailed_tokens.spend_owned(session, normalize_code(mailed_code or ""), "login", user)
