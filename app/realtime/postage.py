"""Counting mails that strangers cause: five an hour to one address, whether or not it has an account."""

from __future__ import annotations

import hashlib
from typing import Final

from app.domain.rates import Rate
from app.realtime.throttles import Demand, Throttles, Verdict

POLICY: Final = "mails"
RATES: Final = {POLICY: Rate(5, 3_600)}


class Postage:
    """The policy `mails` of the throttles is its limit."""

    def __init__(self, throttles: Throttles) -> None:
        self._throttles = throttles

    async def allows(self, email: str) -> bool:
        return (await self._judge(email)).allowed

    async def require(self, email: str) -> None:
        verdict = await self._judge(email)
        if not verdict.allowed:
            raise verdict.error()

    async def _judge(self, email: str) -> Verdict:
        return await self._throttles.take_one(Demand((POLICY,), digest_of(email)))


def digest_of(account: str) -> str:
    """What an address is counted under: no address stands in Redis."""
    return hashlib.sha256(account.strip().lower().encode("utf-8", "surrogatepass")).hexdigest()[:32]
