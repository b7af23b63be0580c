"""The refresh tokens of one login form a family; only the current generation refreshes, under the row's lock.

For ten seconds the newest predecessor gets the identical pair again, because a lost response is not theft. Any other
use of a spent token means that two parties hold it, and ends the login for both.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Interval, Select, func, literal, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from app.domain.auth import security_log
from app.domain.auth.login_status import login_is_live
from app.domain.auth.tokens import TokenPair, Tokens
from app.domain.error_catalogue import invalid_token, token_reused
from app.domain.errors import Unauthenticated
from app.domain.events import LoginsEnded, record
from app.domain.orm import AnyRow, bucket_now
from app.domain.users.account_status import account_is_open
from app.domain.users.models import LoginSession, User

REPLAY_GRACE = timedelta(seconds=10)

FAMILY = (
    LoginSession.id,
    LoginSession.user_id,
    LoginSession.generation,
    LoginSession.rotated_at,
    LoginSession.expires_at,
    (func.clock_timestamp() - LoginSession.rotated_at).label("age"),
    (func.clock_timestamp() - LoginSession.created_at).label("oldness"),
)


async def refresh(session: AsyncSession, token: str, tokens: Tokens) -> TokenPair | Unauthenticated:
    """Returns the next pair of a login, or the current one again for its newest predecessor.

    A spent token ends the login. That must be committed, so the error is *returned*: raising it would roll it back.

    Raises:
        Unauthenticated: the token is not valid, or its login has ended.
    """
    claims = tokens.verify(token, "refresh")
    family = await _lock_family(session, claims.session, claims.user)
    if family.oldness >= timedelta(seconds=tokens.login_seconds):
        raise invalid_token()  # begun under a longer lifetime than the current one
    if claims.generation == family.generation:
        return pair_of(await _rotate(session, family.id, tokens), tokens)
    if claims.generation == family.generation - 1 and family.age <= REPLAY_GRACE:
        return pair_of(family, tokens)
    if claims.generation > family.generation:
        raise invalid_token()  # newer than the row, as after restoring a backup: not theft
    await end_logins(session, LoginSession.id == family.id)
    security_log.log_failure("refresh_reused", family.user_id)
    return token_reused()


async def verify(session: AsyncSession, token: str, tokens: Tokens) -> None:
    """Checks that `token`, access or refresh, would be accepted now. Raises Unauthenticated."""
    claims = tokens.verify(token)
    family = (await session.execute(_live_family(claims.session, claims.user))).one_or_none()
    if family is None:
        raise invalid_token()
    accepted = {family.generation, family.generation - 1} if family.age <= REPLAY_GRACE else {family.generation}
    if claims.type == "refresh" and claims.generation not in accepted:
        raise invalid_token()


async def end_logins(session: AsyncSession, *conditions: ColumnElement[bool], refused: bool = False) -> list[UUID]:
    """Ends all logins that meet these conditions and returns those it ended. `refused`: see `LoginsEnded`."""
    ended = await session.scalars(
        update(LoginSession)
        .where(LoginSession.revoked_at.is_(None), *conditions)
        .values(revoked_at=func.clock_timestamp(), revoked_bucket=bucket_now())
        .returning(LoginSession.id)
    )
    if sessions := list(ended):
        record(session, LoginsEnded(sessions=tuple(sessions), refused=refused))
    return sessions


def expiry_of(
    begun: ColumnElement[datetime] | InstrumentedAttribute[datetime], tokens: Tokens
) -> ColumnElement[datetime]:
    """Returns when a login that began at `begun` and is used now expires: after disuse, or at its maximum age."""
    return func.least(
        func.clock_timestamp() + timedelta(seconds=tokens.refresh_seconds),
        begun + literal(timedelta(seconds=tokens.login_seconds), Interval()),
    )


def pair_of(family: AnyRow, tokens: Tokens) -> TokenPair:
    return tokens.pair(
        user=family.user_id,
        session=family.id,
        generation=family.generation,
        rotated_at=family.rotated_at,
        expires_at=family.expires_at,
    )


async def _lock_family(session: AsyncSession, login: UUID, user: UUID) -> AnyRow:
    """Returns the login's row, locked and read after the lock was acquired. Raises Unauthenticated if it has ended."""
    await session.execute(select(LoginSession.id).where(LoginSession.id == login).with_for_update(key_share=True))
    # A second statement: the one that waited for the lock would check the account on an older snapshot.
    family = (await session.execute(_live_family(login, user))).one_or_none()
    if family is None:
        raise invalid_token()
    return family


def _live_family(login: UUID, user: UUID) -> Select[*tuple[Any, ...]]:
    return (
        select(*FAMILY)
        .join(User, User.id == LoginSession.user_id)
        .where(LoginSession.id == login, LoginSession.user_id == user, login_is_live(), account_is_open())
    )


async def _rotate(session: AsyncSession, login: UUID, tokens: Tokens) -> AnyRow:
    now = func.clock_timestamp()
    rotated = await session.execute(
        update(LoginSession)
        .where(LoginSession.id == login)
        .values(
            generation=LoginSession.generation + 1,
            rotated_at=now,
            last_used_at=now,
            expires_at=expiry_of(LoginSession.created_at, tokens),
        )
        .returning(*FAMILY)
    )
    return rotated.one()
