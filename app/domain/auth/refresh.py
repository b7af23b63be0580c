"""The refresh tokens of one login, a family of which only the present generation refreshes, under the row's lock.

The newest predecessor is answered with the very same pair for ten seconds, because a lost answer is not theft. Any
other use of a spent token means that two hold it, and ends the login for both.
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
from app.domain.auth.tokens import TokenPair, Tokens, refused
from app.domain.errors import Unauthenticated
from app.domain.events import LoginsEnded, record
from app.domain.orm import UNSYNCHRONIZED, AnyRow, bucket_now
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
    """The next pair of a login, or the same again for its newest predecessor.

    A spent token ends the login. That must be committed, so the error is *returned*: raised, it would undo itself.

    Raises:
        Unauthenticated: the token is not valid, or its login is over.
    """
    claims = tokens.verify(token, "refresh")
    family = await _locked(session, claims.session, claims.user)
    if family.oldness >= timedelta(seconds=tokens.login_seconds):
        raise refused()  # begun under a longer lifetime than today's
    if claims.generation == family.generation:
        return pair_of(await _rotate(session, family.id, tokens), tokens)
    if claims.generation == family.generation - 1 and family.age <= REPLAY_GRACE:
        return pair_of(family, tokens)
    if claims.generation > family.generation:
        raise refused()  # from a future that a restored backup does not know: nobody's theft
    await end(session, LoginSession.id == family.id)
    security_log.failed("refresh_reused", family.user_id)
    return Unauthenticated("token_reused", "This refresh token was used before: the login is ended. Log in again.")


async def verify(session: AsyncSession, token: str, tokens: Tokens) -> None:
    """Whether `token`, access or refresh, would be accepted now. Raises Unauthenticated."""
    claims = tokens.verify(token)
    family = (await session.execute(_live_family(claims.session, claims.user))).one_or_none()
    if family is None:
        raise refused()
    good = {family.generation, family.generation - 1} if family.age <= REPLAY_GRACE else {family.generation}
    if claims.type == "refresh" and claims.generation not in good:
        raise refused()


async def end(session: AsyncSession, *which: ColumnElement[bool], refused: bool = False) -> list[UUID]:
    """End all logins that meet these conditions; answers which were ended by this. `refused`: see LoginsEnded."""
    ended = await session.scalars(
        update(LoginSession)
        .where(LoginSession.revoked_at.is_(None), *which)
        .values(revoked_at=func.clock_timestamp(), revoked_bucket=bucket_now())
        .returning(LoginSession.id),
        execution_options=UNSYNCHRONIZED,
    )
    if sessions := list(ended):
        record(session, LoginsEnded(sessions=tuple(sessions), refused=refused))
    return sessions


def end_of(begun: ColumnElement[datetime] | InstrumentedAttribute[datetime], tokens: Tokens) -> ColumnElement[datetime]:
    """When a login that was `begun` then, and is used now, ends: unused, or too old."""
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


async def _locked(session: AsyncSession, login: UUID, user: UUID) -> AnyRow:
    """The login's row, locked, as it stands once the lock is had. Raises Unauthenticated when it is over."""
    await session.execute(select(LoginSession.id).where(LoginSession.id == login).with_for_update(key_share=True))
    # A second statement: the one that waited for the lock would judge the account on a snapshot from before.
    family = (await session.execute(_live_family(login, user))).one_or_none()
    if family is None:
        raise refused()
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
            expires_at=end_of(LoginSession.created_at, tokens),
        )
        .returning(*FAMILY),
        execution_options=UNSYNCHRONIZED,
    )
    return rotated.one()
