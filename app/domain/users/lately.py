"""Login sessions that ended lately: how a process learns of a logout whose announcement it missed."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.users.models import LoginSession

_ENDED = select(LoginSession.id).where(LoginSession.revoked_bucket >= bindparam("bucket"))


async def logins_ended_since(session: AsyncSession, bucket: int) -> set[UUID]:
    """The login sessions revoked in `bucket` (see `app.domain.rows`) or later."""
    return set((await session.execute(_ENDED, {"bucket": bucket})).scalars())
