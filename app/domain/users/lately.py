"""Login sessions that ended lately: how a process learns of a logout whose announcement it missed."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.users.models import LoginSession, User

_ENDED = (
    select(LoginSession.id, User.suspended_at.is_not(None).label("refused"))
    .join(User, User.id == LoginSession.user_id)
    .where(LoginSession.revoked_bucket >= bindparam("bucket"))
)
_SUSPENDED = select(User.suspended_at.is_not(None)).where(User.id == bindparam("user"))


async def logins_ended_since(session: AsyncSession, bucket: int) -> dict[UUID, bool]:
    """The login sessions revoked in `bucket` (see `app.domain.rows`) or later; whether the account is suspended."""
    found = await session.execute(_ENDED, {"bucket": bucket})
    return {row.id: row.refused for row in found}


async def is_suspended(session: AsyncSession, user: UUID) -> bool:
    """Whether the account exists and is suspended."""
    return bool(await session.scalar(_SUSPENDED, {"user": user}))
