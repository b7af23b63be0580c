"""Registration: immediate, or after proof that the address belongs to the caller (REQUIRE_ACTIVATION).

With activation, every registration gets the same answer and a mail, for any address: the request does not look up
whether an account exists. Name and password belong to the mailed token, so an owner who follows a link gets the
password chosen with it, never one that a stranger left pending.

The mode (REGISTRATION) counts when a person registers and again when an account is created: closing registration also
stops the activation links that are on their way. It is checked before anything else, so that nothing is revealed to
people who may not register, and no password is hashed for them.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from uuid import UUID

import msgspec
from sqlalchemy import delete, func, insert, update
from sqlalchemy.dialects.postgresql import insert as insert_if_free
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.accounts.schemas import RegistrationMode, RegistrationRules
from app.domain.auth import mailed_tokens
from app.domain.auth.passwords import Passwords, check_new_password, released_connection
from app.domain.error_catalogue import email_taken, invalid_mailed_token, invite_required, registration_closed
from app.domain.invites import redemption
from app.domain.mails import outbox
from app.domain.orm import uuid7
from app.domain.users.email_addresses import check_email, is_taken_in_other_spelling
from app.domain.users.models import PendingRegistration, User
from app.domain.users.pending_registrations import has_address
from app.domain.users.queries import PROFILE, profile_of
from app.domain.users.quotas import Quotas, allows_mail
from app.domain.users.schemas import Profile
from app.domain.validation import Faults, clean_name

MAX_NAME_LENGTH = 100
LIFETIME: Final = timedelta(days=7)
"""Of a pending registration. Each mailed link expires earlier; until then another can be requested."""


class RegistrationResult(msgspec.Struct, frozen=True):
    """A mail is on its way to the owner of the address."""

    detail: str = "Follow the link in the mail."


class Registrar:
    """Registers accounts. With `must_activate`, an account is created when the link in the mail is followed."""

    def __init__(
        self,
        passwords: Passwords,
        quotas: Quotas,
        *,
        must_activate: bool = False,
        mode: RegistrationMode = "open",
    ) -> None:
        self._passwords = passwords
        self._quotas = quotas
        self._must_activate = must_activate
        self.rules = RegistrationRules(mode=mode)

    async def register(
        self,
        session: AsyncSession,
        *,
        email: str,
        password: str,
        first_name: str,
        last_name: str,
        invite: str = "",
    ) -> Profile | RegistrationResult:
        """Creates an account, or mails an activation link. `invite` is a token; only the mode `invite` reads it.

        Raises:
            Forbidden: `registration_closed`, `invite_required`, `invalid_invite`.
            Invalid: a field is not valid, or the password is too common.
            Conflict: `email_taken`, if activation is not required.
            Unavailable: too many passwords are being hashed.
        """
        admitted_by = await self._admit(session, invite, email)
        wanted = await check(
            session,
            email=email,
            password=password,
            first_name=first_name,
            last_name=last_name,
            passwords=self._passwords,
        )
        if not self._must_activate:
            # The account comes first: a probe of a taken address must not use up the mailbox's mail quota.
            made = await begin(session, wanted, welcome=False)
            if await allows_mail(self._quotas, wanted.email, "welcome"):
                await _welcome(session, made)
            if admitted_by is not None:
                await redemption.redeem(session, admitted_by, account=made.id)
            return made
        if await allows_mail(self._quotas, wanted.email, "registration"):
            await _store(session, wanted, admitted_by)
        return RegistrationResult()

    async def activate(self, session: AsyncSession, token: str) -> None:
        """Creates the account of the registration that `token` belongs to.

        Raises:
            Invalid: `invalid_mailed_token`.
            Forbidden: `registration_closed`, or `invite_required` if the registration came without an invite;
                `invalid_invite` if its invite was revoked or used up meanwhile.
            Conflict: `email_taken`: another registration of this address was activated first.
        """
        held = await mailed_tokens.spend(session, token, "activation")
        if held.user is not None:
            await session.execute(
                update(User)
                .where(User.id == held.user, User.closed_at.is_(None), User.credentials == held.credentials)
                .values(is_active=True)
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
                PendingRegistration.invite_id,
            )
        )
        row = found.one_or_none()
        if row is None:
            raise invalid_mailed_token()  # already activated through another mail of the same registration
        self._check_mode(invited=row.invite_id is not None)
        wanted = RegistrationRequest(
            email=row.email, first_name=row.first_name, last_name=row.last_name, password_hash=row.password_hash
        )
        made = await begin(session, wanted)
        await session.execute(delete(PendingRegistration).where(has_address(row.email)))
        if self.rules.mode == "invite":
            await redemption.redeem(session, row.invite_id, account=made.id)

    async def _admit(self, session: AsyncSession, invite: str, email: str) -> UUID | None:
        """Returns the invite by which this person may register, None if none is needed. Raises Forbidden."""
        self._check_mode(invited=bool(invite))
        return await redemption.require(session, invite, email) if self.rules.mode == "invite" else None

    def _check_mode(self, *, invited: bool) -> None:
        if self.rules.mode == "closed":
            raise registration_closed()
        if self.rules.mode == "invite" and not invited:
            raise invite_required()


class RegistrationRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The validated data of a new account."""

    email: str
    first_name: str
    last_name: str
    password_hash: str


async def check(
    session: AsyncSession, *, email: str, password: str, first_name: str, last_name: str, passwords: Passwords
) -> RegistrationRequest:
    """Validates the fields and hashes the password. Raises Invalid, Unavailable."""
    faults = Faults()
    with faults:
        email = check_email(email)
    with faults:
        first_name = check_name(first_name, "first_name")
    with faults:
        last_name = check_name(last_name, "last_name")
    with faults:
        check_new_password(password, about=(email, first_name, last_name))
    faults.raise_all()
    async with released_connection(session):
        password_hash = await passwords.hash(password)
    return RegistrationRequest(email=email, first_name=first_name, last_name=last_name, password_hash=password_hash)


async def begin(
    session: AsyncSession, wanted: RegistrationRequest, *, is_operator: bool = False, welcome: bool = True
) -> Profile:
    """Creates the account, active, and with `welcome` mails its owner. Raises Conflict `email_taken`."""
    if await is_taken_in_other_spelling(session, wanted.email):
        raise email_taken()
    # If two requests register one address at once, only the unique index on lower(email) can reject one; a look-up
    # cannot.
    created = await session.execute(
        insert_if_free(User)
        .values(
            id=uuid7(),
            email=wanted.email,
            first_name=wanted.first_name,
            last_name=wanted.last_name,
            password_hash=wanted.password_hash,
            is_active=True,
            is_operator=is_operator,
        )
        .on_conflict_do_nothing()
        .returning(*PROFILE)
    )
    row = created.one_or_none()
    if row is None:
        raise email_taken()
    made = profile_of(row)
    if welcome:
        await _welcome(session, made)
    return made


async def resend_activation(session: AsyncSession, email: str, quotas: Quotas) -> None:
    """Sends another activation mail if an activation is pending. The answer does not reveal whether one is."""
    email = check_email(email)
    if await allows_mail(quotas, email, "activation"):
        await outbox.post(session, "activation_again", email)


def check_name(name: str, field: str) -> str:
    """Returns a valid first or last name: 1 to 100 characters on one line, at least one visible. Raises Invalid."""
    return clean_name(name, field, MAX_NAME_LENGTH)


async def _welcome(session: AsyncSession, made: Profile) -> None:
    await outbox.post(session, "welcome", made.email, user=made.id, first_name=made.first_name)


async def _store(session: AsyncSession, wanted: RegistrationRequest, invite: UUID | None) -> None:
    registration = uuid7()
    await session.execute(
        insert(PendingRegistration).values(
            id=registration,
            email=wanted.email,
            first_name=wanted.first_name,
            last_name=wanted.last_name,
            password_hash=wanted.password_hash,
            expires_at=func.clock_timestamp() + LIFETIME,
            invite_id=invite,
        )
    )
    await outbox.post(session, "activation", wanted.email, registration=registration, first_name=wanted.first_name)
