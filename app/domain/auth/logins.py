"""Begins logins with a password; their owner lists and ends them. Each is a row, a family of tokens (`refresh`)."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.audit import log
from app.domain.auth import mailed_login_codes, security_log
from app.domain.auth.devices import Device, is_new_device, printable, program_of
from app.domain.auth.login_status import login_is_live
from app.domain.auth.mailed_login_codes import Slowed
from app.domain.auth.passwords import Passwords, released_connection
from app.domain.auth.refresh import FAMILY, end_logins, expiry_of, pair_of
from app.domain.auth.schemas import Login, LoginPage
from app.domain.auth.second_factors import SecondFactors
from app.domain.auth.tokens import TokenPair, Tokens
from app.domain.cursors import IdKey, Keyset
from app.domain.error_catalogue import invalid_credentials, login_not_found, not_activated, suspended
from app.domain.errors import Throttled, Unauthenticated
from app.domain.mails import outbox
from app.domain.orm import AnyRow, uuid7
from app.domain.users.caller import Caller
from app.domain.users.email_addresses import owned_by
from app.domain.users.models import LoginSession, PendingRegistration, User
from app.domain.users.pending_registrations import pending_registrations
from app.domain.users.queries import profile_of
from app.domain.users.quotas import Quotas
from app.domain.users.schemas import Profile
from app.domain.validation import clean

NEW_DEVICE_MAIL_INTERVAL = timedelta(hours=1)
"""Minimum interval between two mails about logins from new devices."""

MAX_LOGINS = 100
"""Live logins per user; beyond this, those unused for longest are ended."""

_KEYSET = Keyset("login", IdKey)

_ACCOUNT = (
    User.id,
    User.email,
    User.first_name,
    User.last_name,
    User.is_active,
    User.is_operator,
    User.suspended_at,
    User.who_may_add,
)


class LoggedIn(TokenPair, frozen=True, kw_only=True):
    user: Profile


async def log_in(
    session: AsyncSession,
    *,
    email: str,
    password: str,
    code: str | None = None,
    mailed_code: str | None = None,
    slowed: Slowed | None = None,
    device: Device,
    passwords: Passwords,
    second_factors: SecondFactors,
    quotas: Quotas,
    tokens: Tokens,
) -> LoggedIn | Throttled | Unauthenticated:
    """Begins a login. An unknown e-mail takes the same time and gets the same answer as a wrong password.

    While the account is `slowed`, the right password also needs `mailed_code`. A refusal that must be committed is
    *returned*: raising it would roll back the mail that it announces, or restore the mailed code that was spent.

    Raises:
        Unauthenticated: `invalid_credentials`; with the right password `second_factor_required`, `invalid_code`.
        Forbidden: the password is right, but the account is `not_activated` or `suspended`.
        Unavailable: too many logins at once.
    """
    email = clean(email, "email", 1_000, 0)
    proof = None
    if slowed is not None:
        proof = await mailed_login_codes.check_attempt(
            session,
            slowed,
            email=email,
            password=password,
            mailed_code=mailed_code,
            device=device,
            passwords=passwords,
            quotas=quotas,
        )
        if proof is None:
            return slowed.refusal
    user = await _authenticate(session, email, password, passwords)
    if slowed is not None and proof == "code" and not await mailed_login_codes.spend(session, mailed_code, user.id):
        return slowed.refusal
    if not user.is_active:
        raise not_activated()
    if user.suspended_at is not None:
        raise suspended()
    try:
        await second_factors.require(session, user.id, code)
    except Unauthenticated as error:
        if slowed is None or error.code != "invalid_code":
            raise
        return error  # each mailed code allows one guess at the second factor
    if await is_new_device(session, user.id, device) and not await outbox.was_written_within(
        session, "new_login", user.id, NEW_DEVICE_MAIL_INTERVAL
    ):
        facts = {"first_name": user.first_name, "network": device.address, "program": program_of(device.user_agent)}
        await outbox.post(session, "new_login", user.email, user=user.id, **facts)
    pair = await begin(session, user.id, is_operator=user.is_operator, device=device, tokens=tokens)
    return LoggedIn(access=pair.access, refresh=pair.refresh, user=profile_of(user))


async def begin(session: AsyncSession, user: UUID, *, is_operator: bool, device: Device, tokens: Tokens) -> TokenPair:
    """Begins a login of a user whose identity is proved, and ends those beyond `MAX_LOGINS`. Returns its tokens."""
    begun = (
        await session.execute(
            insert(LoginSession)
            .values(
                id=uuid7(),
                user_id=user,
                rotated_at=func.clock_timestamp(),
                expires_at=expiry_of(func.clock_timestamp(), tokens),
                address=device.address[:45],
                user_agent=printable(device.user_agent)[:255],
            )
            .returning(*FAMILY)
        )
    ).one()
    await _end_excess(session, user, MAX_LOGINS)
    if is_operator:
        await log.record_action(session, by=user, action="operator.logged_in", subject=user)
    return pair_of(begun, tokens)


async def log_out(session: AsyncSession, caller: Caller) -> None:
    """Ends the caller's login, with its tokens and sockets."""
    await end_logins(session, LoginSession.id == caller.session)


async def end_login(session: AsyncSession, caller: Caller, login: UUID) -> None:
    """Ends one of the caller's logins. Raises NotFound if it is another user's or has already ended."""
    if not await end_logins(session, LoginSession.id == login, LoginSession.user_id == caller.user, login_is_live()):
        raise login_not_found()


async def listing(session: AsyncSession, caller: Caller, *, limit: int, cursor: str | None) -> LoginPage:
    """Returns the caller's live logins, newest first."""
    after = _KEYSET.key(cursor)
    query = (
        select(
            LoginSession.id,
            LoginSession.created_at,
            LoginSession.last_used_at,
            LoginSession.expires_at,
            LoginSession.address,
            LoginSession.user_agent,
        )
        .where(LoginSession.user_id == caller.user, login_is_live())
        .order_by(LoginSession.id.desc())
        .limit(limit + 1)
    )
    if after is not None:
        query = query.where(LoginSession.id < after.id)
    rows = (await session.execute(query)).all()
    shown, following = _KEYSET.page(rows, limit, lambda row: IdKey(row.id))
    items = [
        Login(
            id=row.id,
            created_at=row.created_at,
            last_used_at=row.last_used_at,
            expires_at=row.expires_at,
            address=row.address,
            user_agent=row.user_agent,
            current=row.id == caller.session,
        )
        for row in shown
    ]
    return LoginPage(items=items, next=following)


async def _authenticate(session: AsyncSession, email: str, password: str, passwords: Passwords) -> AnyRow:
    """Returns the user with this e-mail and password, locked against a change of password until the transaction ends.

    Two attempts: a concurrent login may have rehashed the same password in between.
    """
    account: UUID | None = None
    for _ in range(2):
        stored = await _stored_hashes(session, email)
        account = stored.account_id
        async with released_connection(session):
            matches = await passwords.verify(stored.account_hash, password)
            # Checked against a registration whether or not an account exists: registering a stranger's address and
            # logging in must not reveal whether it has one.
            is_pending = stored.waiting_hash is not None and await passwords.verify(stored.waiting_hash, password)
            outdated = matches and passwords.is_outdated(stored.account_hash)
            new_hash = await passwords.hash(password) if outdated else None
        if not matches:
            if is_pending:
                raise not_activated()
            break
        # Checked again under the lock: a concurrent change of password either waits for this login and then ends it
        # with the others, or came first, and then the hash no longer matches.
        user = (
            await session.execute(
                select(*_ACCOUNT)
                .where(owned_by(email), User.password_hash == stored.account_hash, User.closed_at.is_(None))
                .with_for_update(read=new_hash is None, key_share=new_hash is not None)
            )
        ).one_or_none()
        if user is not None:
            if new_hash is not None:
                await session.execute(update(User).where(User.id == user.id).values(password_hash=new_hash))
            return user
    security_log.log_failure("login_failed", account)
    raise invalid_credentials()


async def _stored_hashes(session: AsyncSession, email: str) -> AnyRow:
    """Returns what to verify the password against: `account_hash` of `account_id`, and `waiting_hash` of the newest
    registration.

    One statement, so that every case takes the same time.
    """
    account_hash = select(User.password_hash).where(owned_by(email), User.closed_at.is_(None))
    account_id = account_hash.with_only_columns(User.id)
    pending_hash = pending_registrations(email).with_only_columns(PendingRegistration.password_hash).limit(1)
    return (
        await session.execute(
            select(
                account_id.scalar_subquery().label("account_id"),
                account_hash.scalar_subquery().label("account_hash"),
                pending_hash.scalar_subquery().label("waiting_hash"),
            )
        )
    ).one()


async def _end_excess(session: AsyncSession, user: UUID, limit: int) -> None:
    excess = (
        select(LoginSession.id)
        .where(LoginSession.user_id == user, login_is_live())
        .order_by(LoginSession.last_used_at.desc(), LoginSession.id.desc())
        .offset(limit)
    )
    await end_logins(session, LoginSession.id.in_(excess))
