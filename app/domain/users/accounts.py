"""Accounts: registering, one's own profile, changing the password."""

from __future__ import annotations

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.errors import Conflict, Invalid, Unauthenticated
from app.domain.pauses import paused
from app.domain.rows import AnyRow, uuid7
from app.domain.texts import clean
from app.domain.users.callers import Caller
from app.domain.users.emails import check_email, owned_by
from app.domain.users.families import UNSYNCHRONIZED, end
from app.domain.users.models import LoginSession, User
from app.domain.users.passwords import LONGEST, Passwords, check_new
from app.domain.views import Profile

LONGEST_NAME = 100
_PROFILE = (User.id, User.email, User.first_name, User.last_name, User.is_active)


async def register(
    session: AsyncSession,
    *,
    email: str,
    password: str,
    first_name: str,
    last_name: str,
    passwords: Passwords,
    is_operator: bool = False,
) -> Profile:
    """A new account, active at once.

    Raises:
        Invalid: a field is not good, or the password is too common.
        Conflict: `email_taken`.
        Unavailable: too many passwords are being hashed.
    """
    email = check_email(email)
    first_name, last_name = check_name(first_name, "first_name"), check_name(last_name, "last_name")
    check_new(password)
    async with paused(session):
        password_hash = await passwords.hash(password)
    # Two who register one address at once: the unique index on lower(email) lets one through, no look-up before does.
    created = await session.execute(
        insert(User)
        .values(
            id=uuid7(),
            email=email,
            first_name=first_name,
            last_name=last_name,
            password_hash=password_hash,
            is_active=True,
            is_operator=is_operator,
        )
        .on_conflict_do_nothing()
        .returning(*_PROFILE)
    )
    row = created.one_or_none()
    if row is None:
        raise Conflict("email_taken", "There is an account with this e-mail address.")
    return _profile(row)


async def create_operator(
    session: AsyncSession, *, email: str, password: str, first_name: str, last_name: str, passwords: Passwords
) -> Profile:
    """An account that may use `/ops`; an existing one of that e-mail becomes it, and gets the password given.

    Raises:
        Invalid: a field is not good, or the password is too common.
    """
    check_new(password)
    found = await session.scalar(select(User.id).where(owned_by(check_email(email)), User.closed_at.is_(None)))
    if found is None:
        return await register(
            session,
            email=email,
            password=password,
            first_name=first_name,
            last_name=last_name,
            passwords=passwords,
            is_operator=True,
        )
    async with paused(session):
        password_hash = await passwords.hash(password)
    promoted = await session.execute(
        update(User)
        .where(User.id == found)
        .values(is_operator=True, is_active=True, password_hash=password_hash)
        .returning(*_PROFILE),
        execution_options=UNSYNCHRONIZED,
    )
    await end(session, LoginSession.user_id == found)
    return _profile(promoted.one())


async def profile(session: AsyncSession, caller: Caller) -> Profile:
    """Oneself."""
    return _profile(_known((await session.execute(select(*_PROFILE).where(User.id == caller.user))).one_or_none()))


async def rename(
    session: AsyncSession, caller: Caller, *, first_name: str | None = None, last_name: str | None = None
) -> Profile:
    """Change the names given. Raises Invalid for one that is not good."""
    names = {
        field: check_name(name, field)
        for field, name in (("first_name", first_name), ("last_name", last_name))
        if name is not None
    }
    if not names:
        return await profile(session, caller)
    renamed = await session.execute(
        update(User).where(User.id == caller.user).values(names).returning(*_PROFILE),
        execution_options=UNSYNCHRONIZED,
    )
    # A name is in the views of every conversation its owner was ever in: telling them (`member.updated`) begins here.
    return _profile(_known(renamed.one_or_none()))


async def change_password(
    session: AsyncSession, caller: Caller, *, current_password: str, new_password: str, passwords: Passwords
) -> None:
    """A new password for who knows the old one; all other logins end.

    Raises:
        Invalid: `wrong_password`, or the new one may not be used.
        Unavailable: too many passwords are being hashed.
    """
    check_new(new_password, "new_password")
    seen = await session.scalar(select(User.password_hash).where(User.id == caller.user))
    async with paused(session):
        if not await passwords.verify(seen, current_password[: LONGEST + 1]):
            raise _wrong_password()
        password_hash = await passwords.hash(new_password)
    # Of two changes at once the second no longer knows the current password.
    changed = await session.scalar(
        update(User)
        .where(User.id == caller.user, User.password_hash == seen)
        .values(password_hash=password_hash)
        .returning(User.id),
        execution_options=UNSYNCHRONIZED,
    )
    if changed is None:
        raise _wrong_password()
    await end(session, LoginSession.user_id == caller.user, LoginSession.id != caller.session)


def check_name(name: str, field: str) -> str:
    """A first or last name: 1 … 100 characters, not blank, on one line. Raises Invalid."""
    return clean(name, field, LONGEST_NAME, one_line=True)


def _wrong_password() -> Invalid:
    return Invalid(
        "wrong_password", "The current password is wrong.", errors=(("current_password", "Is not your password."),)
    )


def _known(row: AnyRow | None) -> AnyRow:
    if row is None:
        raise Unauthenticated
    return row


def _profile(row: AnyRow) -> Profile:
    return Profile(
        id=row.id, email=row.email, first_name=row.first_name, last_name=row.last_name, is_active=row.is_active
    )
