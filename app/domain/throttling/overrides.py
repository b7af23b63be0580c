"""Overrides of the settings, for the processes that enforce them: all at startup, then the recent changes."""

from __future__ import annotations

from uuid import UUID

import msgspec
from sqlalchemy import Integer, bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.rates import Rate
from app.domain.throttling.models import ThrottlePolicy

REMOVAL_RETENTION_SECONDS = 86_400
"""How long the removal of a user's rate stays readable. A process that has not polled for that long reads all."""


class Override(msgspec.Struct, frozen=True):
    """The `rate` of `policy` for `user` (None: for all users). `rate` None: the override was removed."""

    policy: str
    user: UUID | None
    rate: Rate | None


async def all_overrides(session: AsyncSession) -> list[Override]:
    """Returns all overrides in force; bounded by `MAX_THROTTLE_EXCEPTIONS`."""
    return [_override(*row) for row in await session.execute(_ALL)]


async def overrides_since(session: AsyncSession, bucket: int) -> list[Override]:
    """Returns overrides changed in `bucket` (see `app.domain.orm`) or later, including removed ones."""
    return [_override(*row) for row in await session.execute(_CHANGED_SINCE, {"bucket": bucket})]


def _override(policy: str, user: UUID | None, rate: str | None) -> Override:
    return Override(policy, user, None if rate is None else Rate.parse(rate))


_COLUMNS = select(ThrottlePolicy.policy, ThrottlePolicy.user_id, ThrottlePolicy.rate)
_ALL = _COLUMNS.where(ThrottlePolicy.rate.is_not(None))
_CHANGED_SINCE = _COLUMNS.where(ThrottlePolicy.changed_bucket >= bindparam("bucket", type_=Integer()))
