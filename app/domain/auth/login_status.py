"""Whether logins are live. A token proves who logged in; only the row shows whether that login has ended since.

A login is live until it is revoked or expires, and while its account is active, neither suspended nor closed.
"""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Uuid, and_, any_, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.orm import Reader
from app.domain.users.account_status import account_is_open
from app.domain.users.models import LoginSession, User


def login_is_live() -> ColumnElement[bool]:
    """Condition on a joined `LoginSession`: neither revoked nor expired, by Postgres's clock."""
    return and_(LoginSession.revoked_at.is_(None), LoginSession.expires_at > func.clock_timestamp())


_LIVE = (
    select(LoginSession.id, LoginSession.user_id)
    .join(User, User.id == LoginSession.user_id)
    .where(LoginSession.id == any_(bindparam("logins", type_=ARRAY(Uuid))), login_is_live(), account_is_open())
)


async def ended_logins(reader: Reader, logins: Collection[tuple[UUID, UUID]]) -> set[UUID]:
    """Returns those sessions of the (login session, user) pairs that are not live or not that user's. One query."""
    alive = await reader.execute(_LIVE, {"logins": list({login for login, _ in logins})})
    living = {(login, user) for login, user in alive}
    return {login for login, user in logins if (login, user) not in living}


_ENDED = (
    select(LoginSession.id, User.suspended_at.is_not(None).label("refused"))
    .join(User, User.id == LoginSession.user_id)
    .where(LoginSession.revoked_bucket >= bindparam("bucket"))
)


_SUSPENDED = select(User.suspended_at.is_not(None)).where(User.id == bindparam("user"))


async def logins_ended_since(session: AsyncSession, bucket: int) -> dict[UUID, bool]:
    """Maps login sessions revoked in `bucket` (see `app.domain.orm`) or later to whether their account is suspended."""
    found = await session.execute(_ENDED, {"bucket": bucket})
    return {row.id: row.refused for row in found}


async def is_suspended(session: AsyncSession, user: UUID) -> bool:
    """Returns whether the account exists and is suspended."""
    return bool(await session.scalar(_SUSPENDED, {"user": user}))
