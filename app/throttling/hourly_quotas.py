"""Quotas as rate policies. Per hour: five mails of a kind to one address, ten to its mailbox, ten renames."""

from __future__ import annotations

from typing import Final

from app.domain.rates import Rate
from app.domain.users.quotas import Quota
from app.throttling.limiter import RateDecision, RateLimiter, RateRequest

RATES: Final[dict[Quota, Rate]] = {
    "mails": Rate(5, 3_600),
    "mailboxes": Rate(10, 3_600),
    "renames": Rate(10, 3_600),
}


class HourlyQuotas:
    """Implements the protocol of `app.domain.users.quotas`."""

    def __init__(self, limiter: RateLimiter) -> None:
        self._limiter = limiter

    async def allows(self, quota: Quota, subject: str) -> bool:
        return (await self._take(quota, subject)).allowed

    async def require(self, quota: Quota, subject: str) -> None:
        decision = await self._take(quota, subject)
        if not decision.allowed:
            raise decision.error()

    async def _take(self, quota: Quota, subject: str) -> RateDecision:
        return await self._limiter.take_one(RateRequest((quota,), subject))
