"""The caller's own profile, changes of names and password, and the creation of operators."""

from __future__ import annotations

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.accounts.registration import begin, check, check_name
from app.domain.audit import log
from app.domain.auth import mailed_tokens, security_log
from app.domain.auth.passwords import Passwords, check_new_password, released_connection
from app.domain.auth.reauthentication import require_password
from app.domain.auth.refresh import end_logins
from app.domain.error_catalogue import not_authenticated, wrong_password
from app.domain.events import FollowUp, enqueue_after_commit
from app.domain.mails import outbox
from app.domain.orm import AnyRow
from app.domain.users.caller import Caller
from app.domain.users.email_addresses import check_email, owned_by
from app.domain.users.models import LoginSession, User
from app.domain.users.queries import PROFILE, profile_of
from app.domain.users.quotas import Quotas
from app.domain.users.schemas import Adders, Profile
from app.domain.validation import Faults


async def create_operator(
    session: AsyncSession, *, email: str, password: str, first_name: str, last_name: str, passwords: Passwords
) -> Profile:
    """Creates an account that may use `/ops`, or promotes the one with this e-mail and replaces its password.

    Raises:
        Invalid: a field is not valid, or the password is too common.
    """
    check_new_password(password, about=(email, first_name, last_name))
    found = await session.scalar(select(User.id).where(owned_by(check_email(email)), User.closed_at.is_(None)))
    if found is None:
        wanted = await check(
            session, email=email, password=password, first_name=first_name, last_name=last_name, passwords=passwords
        )
        made = await begin(session, wanted, is_operator=True)
        await log.record_action(
            session, by=None, action="operator.created", subject=made.id, details={"account": "new"}
        )
        return made
    async with released_connection(session):
        password_hash = await passwords.hash(password)
    promoted = await session.execute(
        update(User)
        .where(User.id == found)
        .values(is_operator=True, is_active=True, password_hash=password_hash, credentials=User.credentials + 1)
        .returning(*PROFILE)
    )
    await log.record_action(session, by=None, action="operator.created", subject=found, details={"account": "existing"})
    await mailed_tokens.void_all(session, found)
    await end_logins(session, LoginSession.user_id == found)
    return profile_of(promoted.one())


async def is_operator(session: AsyncSession, email: str) -> bool:
    """Returns whether the open account with this address is an operator's. Raises Invalid if it is no address."""
    found = select(User.id).where(owned_by(check_email(email)), User.closed_at.is_(None), User.is_operator)
    return await session.scalar(found) is not None


async def profile(session: AsyncSession, caller: Caller) -> Profile:
    """Returns the caller's own profile."""
    return profile_of(_known((await session.execute(select(*PROFILE).where(User.id == caller.user))).one_or_none()))


async def change(
    session: AsyncSession,
    caller: Caller,
    quotas: Quotas,
    *,
    first_name: str | None = None,
    last_name: str | None = None,
    who_may_add: Adders | None = None,
) -> Profile:
    """Changes the given fields of the profile.

    Raises:
        Invalid: a name is not valid.
        Throttled: renamed too often; each rename is published in every conversation.
    """
    names: dict[str, str] = {}
    faults = Faults()
    for field, name in (("first_name", first_name), ("last_name", last_name)):
        if name is not None:
            with faults:
                names[field] = check_name(name, field)
    faults.raise_all()
    if who_may_add is not None:
        await session.execute(update(User).where(User.id == caller.user).values(who_may_add=who_may_add))
    now = await profile(session, caller)
    if all(getattr(now, field) == name for field, name in names.items()):
        return now
    await quotas.require("renames", str(caller.user))
    renamed = await session.execute(
        update(User)
        .where(User.id == caller.user)
        .values(names | {"version": User.version + 1, "told_through": None})
        .returning(*PROFILE)
    )
    row = _known(renamed.one_or_none())
    # The name is part of the views of every conversation the user is in: all are updated within 10 s.
    enqueue_after_commit(session, FollowUp("person", caller.user))
    return profile_of(row)


async def change_password(
    session: AsyncSession, caller: Caller, *, current_password: str, new_password: str, passwords: Passwords
) -> None:
    """Replaces the password, given the current one; all other logins end.

    Raises:
        Invalid: `wrong_password`, or the new password is not acceptable.
        Unavailable: too many passwords are being hashed.
    """
    check_new_password(new_password, "new_password")
    account = await require_password(session, caller, current_password, passwords)
    check_new_password(new_password, "new_password", about=(account.email, account.first_name, account.last_name))
    async with released_connection(session):
        password_hash = await passwords.hash(new_password)
    changed = await session.scalar(
        update(User)
        .where(User.id == caller.user, User.password_hash == account.password_hash)
        .values(password_hash=password_hash, credentials=User.credentials + 1)
        .returning(User.id)
    )
    if changed is None:
        raise wrong_password()
    await mailed_tokens.void_all(session, account.id)
    await end_logins(session, LoginSession.user_id == account.id, LoginSession.id != caller.session)
    security_log.log_act("password_changed", account.id)
    await outbox.post(session, "password_changed", account.email, user=account.id, first_name=account.first_name)


def _known(row: AnyRow | None) -> AnyRow:
    if row is None:
        raise not_authenticated()
    return row
