"""The first operator of a fresh chat logs in by the link that `chat up` printed: no wizard, no default password.

The link creates the account, so it exists only while the chat has no operator. The account has no usable password: its
owner sets one by the mail for forgotten passwords (a file in DATA_DIR/mail without SMTP_URL) or by
`chat create-operator`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from secrets import token_hex, token_urlsafe
from typing import Final
from uuid import UUID

import msgspec
from sqlalchemy import exists, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain import locks
from app.domain.accounts.registration import RegistrationRequest, begin
from app.domain.audit import log
from app.domain.audit.models import AuditEntry
from app.domain.auth import logins, security_log
from app.domain.auth.devices import Device
from app.domain.auth.logins import LoggedIn
from app.domain.auth.passwords import Passwords, released_connection
from app.domain.auth.tokens import Tokens
from app.domain.error_catalogue import path_not_found
from app.domain.errors import Conflict, NotFound
from app.domain.users.models import User
from app.domain.users.schemas import Profile
from app.domain.welcome import guide_account
from app.domain.welcome.first_link import OPERATOR_ADDRESS, FirstLink

FIRST_NAME, LAST_NAME = "First", "Operator"
RANDOM_BYTES: Final = 32


class FirstLogin(msgspec.Struct, frozen=True):
    """The operator's login, and the id of the conversation "Welcome"."""

    logged_in: LoggedIn
    welcome: UUID


async def log_in(
    session: AsyncSession, link: FirstLink | None, token: str, *, device: Device, passwords: Passwords, tokens: Tokens
) -> FirstLogin:
    """Creates the first operator and "Welcome", and begins a login.

    Raises:
        NotFound: as for an unknown path. There is no link, the token is not its own, it was used or has expired, or the
            chat has an operator.
        Unavailable: too many passwords are being hashed.
    """
    if link is None or not link.opens(token):
        raise _refused()
    async with released_connection(session):
        password_hash = await passwords.hash(token_urlsafe(RANDOM_BYTES))
    # Of two requests with one token, the second waits here and then sees the operator.
    await locks.acquire(session, locks.AdvisoryLock.FIRST_OPERATOR)
    if await _has_operator(session, since=link.made_at):
        raise _refused()
    operator = await _create(session, password_hash)
    await log.record_action(
        session, by=None, action="operator.created", subject=operator.id, details={"account": "first"}
    )
    welcome = await guide_account.open_welcome(session, operator.id, password_hash=password_hash)
    pair = await logins.begin(session, operator.id, is_operator=True, device=device, tokens=tokens)
    return FirstLogin(LoggedIn(access=pair.access, refresh=pair.refresh, user=operator), welcome)


async def _has_operator(session: AsyncSession, *, since: float) -> bool:
    """Returns whether an account is an operator's, or became one after `since` (seconds since 1970) and was closed."""
    created = exists().where(
        AuditEntry.action == "operator.created", AuditEntry.at >= datetime.fromtimestamp(since, UTC)
    )
    return bool(await session.scalar(select(or_(exists().where(User.is_operator), created))))


async def _create(session: AsyncSession, password_hash: str) -> Profile:
    async def create(address: str) -> Profile:
        wanted = RegistrationRequest(
            email=address, first_name=FIRST_NAME, last_name=LAST_NAME, password_hash=password_hash
        )
        return await begin(session, wanted, is_operator=True, welcome=False)

    try:
        return await create(OPERATOR_ADDRESS)
    except Conflict:
        # Anyone may have registered that address. The account must not become an operator's: its owner knows the
        # password.
        return await create(OPERATOR_ADDRESS.replace("@", f"-{token_hex(8)}@"))


def _refused() -> NotFound:
    security_log.log_failure("first_login_refused", None)
    return path_not_found()
