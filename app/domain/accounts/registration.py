"""Becoming somebody: at once, or by showing first that the address is one's own (REQUIRE_ACTIVATION).

With activation every registration gets the same answer and a mail, whoever asks for whatever address: the request does
not even look whether there is an account. Name and password belong to the token that is mailed, so the owner of an
address who follows a link gets the password that was chosen with it, never one that a stranger left waiting.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import msgspec
from sqlalchemy import delete, func, insert, update
from sqlalchemy.dialects.postgresql import insert as insert_if_free
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.accounts.quotas import Quotas, allows_mail
from app.domain.auth import mailed_tokens
from app.domain.auth.passwords import Passwords, check_new, released_connection
from app.domain.errors import Conflict
from app.domain.mails import outbox
from app.domain.orm import UNSYNCHRONIZED, AnyRow, uuid7
from app.domain.users.email_addresses import check_email, is_had_otherwise
from app.domain.users.models import PendingRegistration, User
from app.domain.users.pending_registrations import of_address
from app.domain.users.schemas import Profile
from app.domain.validation import clean_name

MAX_NAME_LENGTH = 100
LIFETIME: Final = timedelta(days=7)
"""Of a registration; each link in a mail lives shorter, and another can be asked for until then."""

PROFILE = (User.id, User.email, User.first_name, User.last_name, User.is_active, User.who_may_add)


class RegistrationResult(msgspec.Struct, frozen=True):
    """A mail is on its way, to whoever owns the address."""

    detail: str = "Follow the link in the mail."


class Registrar:
    """`must_activate`: accounts begin when the link in the mail is followed."""

    def __init__(self, passwords: Passwords, quotas: Quotas, *, must_activate: bool = False) -> None:
        self._passwords = passwords
        self._quotas = quotas
        self._must_activate = must_activate

    async def register(
        self, session: AsyncSession, *, email: str, password: str, first_name: str, last_name: str
    ) -> Profile | RegistrationResult:
        """A new account, or a mail.

        Raises:
            Invalid: a field is not good, or the password is too common.
            Conflict: `email_taken`, where no activation is asked for.
            Unavailable: too many passwords are being hashed.
        """
        wanted = await check(
            session,
            email=email,
            password=password,
            first_name=first_name,
            last_name=last_name,
            passwords=self._passwords,
        )
        if not self._must_activate:
            # Begun first: whether the address is taken costs none of the mails that its mailbox may have.
            made = await begin(session, wanted, welcome=False)
            if await allows_mail(self._quotas, wanted.email, "welcome"):
                await _welcome(session, made)
            return made
        if await allows_mail(self._quotas, wanted.email, "registration"):
            await _keep(session, wanted)
        return RegistrationResult()


class RegistrationRequest(msgspec.Struct, frozen=True, kw_only=True):
    """An account that may be made."""

    email: str
    first_name: str
    last_name: str
    password_hash: str


async def check(
    session: AsyncSession, *, email: str, password: str, first_name: str, last_name: str, passwords: Passwords
) -> RegistrationRequest:
    """Judge the fields and hash the password. Raises Invalid, Unavailable."""
    email = check_email(email)
    first_name, last_name = check_name(first_name, "first_name"), check_name(last_name, "last_name")
    check_new(password, about=(email, first_name, last_name))
    async with released_connection(session):
        password_hash = await passwords.hash(password)
    return RegistrationRequest(email=email, first_name=first_name, last_name=last_name, password_hash=password_hash)


async def begin(
    session: AsyncSession, wanted: RegistrationRequest, *, is_operator: bool = False, welcome: bool = True
) -> Profile:
    """The account, active; a mail welcomes its owner, if `welcome`. Raises Conflict `email_taken`."""
    if await is_had_otherwise(session, wanted.email):
        raise taken()
    # Two who register one address at once: the unique index on lower(email) lets one through, no look-up before does.
    created = await session.execute(
        insert_if_free(User)
        .values(id=uuid7(), is_active=True, is_operator=is_operator, **msgspec.structs.asdict(wanted))
        .on_conflict_do_nothing()
        .returning(*PROFILE)
    )
    row = created.one_or_none()
    if row is None:
        raise taken()
    made = profile_of(row)
    if welcome:
        await _welcome(session, made)
    return made


async def activate(session: AsyncSession, token: str) -> None:
    """The account of the registration that `token` belongs to begins.

    Raises:
        Invalid: `invalid_mailed_token`.
        Conflict: `email_taken`: another registration of this address was activated before.
    """
    held = await mailed_tokens.spend(session, token, "activation")
    if held.user is not None:
        await session.execute(
            update(User)
            .where(User.id == held.user, User.closed_at.is_(None), User.credentials == held.credentials)
            .values(is_active=True),
            execution_options=UNSYNCHRONIZED,
        )
        return
    found = await session.execute(
        delete(PendingRegistration)
        .where(PendingRegistration.id == held.registration)
        .returning(
            PendingRegistration.email,
            PendingRegistration.first_name,
            PendingRegistration.last_name,
            PendingRegistration.password_hash,
        ),
        execution_options=UNSYNCHRONIZED,
    )
    row = found.one_or_none()
    if row is None:
        raise mailed_tokens.refused()  # spent a moment ago through another mail of the same registration
    wanted = RegistrationRequest(
        email=row.email, first_name=row.first_name, last_name=row.last_name, password_hash=row.password_hash
    )
    await begin(session, wanted)
    await session.execute(
        delete(PendingRegistration).where(of_address(row.email)),
        execution_options=UNSYNCHRONIZED,
    )


async def mail_again(session: AsyncSession, email: str, quotas: Quotas) -> None:
    """Another activation mail, if there is something to activate: whether there is, the answer does not tell."""
    email = check_email(email)
    if await allows_mail(quotas, email, "activation"):
        await outbox.post(session, "activation_again", email)


def taken() -> Conflict:
    return Conflict("email_taken", "There is an account with this e-mail address.")


def check_name(name: str, field: str) -> str:
    """A first or last name: 1 to 100 characters on one line, one of them visible. Raises Invalid."""
    return clean_name(name, field, MAX_NAME_LENGTH)


def profile_of(row: AnyRow) -> Profile:
    """The view of `PROFILE`."""
    return Profile(
        id=row.id,
        email=row.email,
        first_name=row.first_name,
        last_name=row.last_name,
        is_active=row.is_active,
        who_may_add=row.who_may_add,
    )


async def _welcome(session: AsyncSession, made: Profile) -> None:
    await outbox.post(session, "welcome", made.email, user=made.id, first_name=made.first_name)


async def _keep(session: AsyncSession, wanted: RegistrationRequest) -> None:
    registration = uuid7()
    await session.execute(
        insert(PendingRegistration).values(
            id=registration, expires_at=func.clock_timestamp() + LIFETIME, **msgspec.structs.asdict(wanted)
        )
    )
    await outbox.post(session, "activation", wanted.email, registration=registration, first_name=wanted.first_name)
