"""What is not as the settings say, for the processes that enforce it: all of it at start, then what changed lately."""

from __future__ import annotations

from uuid import UUID

import msgspec
from sqlalchemy import Integer, bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.rates import Rate
from app.domain.throttling.models import ThrottlePolicy

MARKS_SECONDS = 86_400
"""How long it is remembered that somebody's own rate was taken back. Who has not looked for that long reads all."""


class Override(msgspec.Struct, frozen=True):
    """`rate` holds for `policy` and `user`, None: for everybody. `rate` None: taken back."""

    policy: str
    user: UUID | None
    rate: Rate | None


async def all_overrides(session: AsyncSession) -> list[Override]:
    """All that is not as the settings say; bounded by `policies.MOST_EXCEPTIONS`."""
    return [_standing(*row) for row in await session.execute(_ALL)]


async def overrides_since(session: AsyncSession, bucket: int) -> list[Override]:
    """What changed in `bucket` (see `app.domain.orm`) or later, what was taken back too."""
    return [_standing(*row) for row in await session.execute(_LATELY, {"bucket": bucket})]


def _standing(policy: str, user: UUID | None, rate: str | None) -> Override:
    return Override(policy, user, None if rate is None else Rate.parse(rate))


_COLUMNS = select(ThrottlePolicy.policy, ThrottlePolicy.user_id, ThrottlePolicy.rate)
_ALL = _COLUMNS.where(ThrottlePolicy.rate.is_not(None))
_LATELY = _COLUMNS.where(ThrottlePolicy.changed_bucket >= bindparam("bucket", type_=Integer()))
