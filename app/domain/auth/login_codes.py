"""The owner's way into an account that strangers guess at: the right password, and a code mailed to its address.

While wrong guesses slow an account (`Slowed`), every attempt gets one answer, whatever was right or wrong about it,
known account or unknown. Only the mailbox learns more: a right password has a code sent there. To whoever does not
read it, a right password, a wrong one and an unknown address do the same work, statement for statement, because the
time an answer takes is an answer too (docs/decisions/slowed-logins.md).
"""

from __future__ import annotations

from typing import Final, Literal
from uuid import UUID

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.accounts.quotas import Quotas, allows_mail
from app.domain.auth import mailed_tokens, security_log
from app.domain.auth.devices import Device, has_logged_in_from, program_of
from app.domain.auth.passwords import Passwords, released_connection
from app.domain.auth.typed_codes import typed
from app.domain.errors import Throttled
from app.domain.mails import outbox
from app.domain.users.email_addresses import owned_by
from app.domain.users.models import User

NOBODY: Final = UUID(int=0)


class Slowed(msgspec.Struct, frozen=True):
    """Too many wrong guesses lately. `refusal` answers whatever does not get in.

    `home_passes`: a right password from a network the account has logged in from needs no code. It does not where the
    guesses came from that very network.
    """

    refusal: Throttled
    home_passes: bool


async def passes(
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
    """By what this attempt may go on to an ordinary login; with "code", that must `spend` it. None: it may not, and a
    right password has a code mailed.

    What this writes must be committed, so the caller returns `slowed.refusal` and does not raise it. `email` is as it
    was typed, and clean.

    Raises:
        Unavailable: too many passwords are being hashed.
    """
    seen = (
        await session.execute(select(User.id, User.password_hash).where(owned_by(email), User.closed_at.is_(None)))
    ).one_or_none()
    async with released_connection(session):
        right = await passwords.verify(seen.password_hash if seen else None, password)
    owner: UUID = seen.id if seen is not None and right else NOBODY
    at_home = await has_logged_in_from(session, owner, device.address)
    has_code = await mailed_tokens.is_good(session, typed(mailed_code or ""), "login", owner)
    if at_home and slowed.home_passes:
        return "home"
    if has_code:
        return "code"
    # Counted apart, so that wrong guesses use up none of the owner's mails.
    wanted = await allows_mail(quotas, email, "login" if right else "login_refused")
    security_log.failed("login_slowed", seen.id if seen else None, code_mailed=right and wanted)
    if right and wanted:
        program = program_of(device.user_agent)
        await outbox.post(session, "login_code", email, network=device.address, user_agent=program)
    else:
        await outbox.post_nothing(session, "login_code")
    return None


async def spend(session: AsyncSession, mailed_code: str | None, user: UUID) -> bool:
    """Use a code up; whether it was still good: of two logins with one code the second waits, and finds it gone."""
    return await mailed_tokens.spend_of(session, typed(mailed_code or ""), "login", user)
