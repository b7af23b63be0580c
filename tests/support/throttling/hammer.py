"""One process that takes as fast as it can: prints, for each take that was allowed, when it began and ended."""

from __future__ import annotations

import asyncio
import json
import sys
import time

from app.domain.rates import Rate
from app.redis.client import RedisClient
from app.throttling.limiter import RateLimiter, RateRequest


async def hammer(url: str, subject: str, limit: int, seconds: float) -> list[tuple[float, float]]:
    redis_client = RedisClient(url)
    throttles = RateLimiter(redis_client, {"policy": Rate(limit, 1)})
    allowed: list[tuple[float, float]] = []
    end = time.monotonic() + seconds

    async def one() -> None:
        while time.monotonic() < end:
            before = time.monotonic()
            verdict = await throttles.take_one(RateRequest(("policy",), subject))
            if verdict.allowed:
                assert not verdict.local
                allowed.append((before, time.monotonic()))

    await asyncio.gather(*(one() for _ in range(8)))
    await redis_client.close()
    return allowed


if __name__ == "__main__":
    url, subject, limit, seconds = sys.argv[1:]
    print(json.dumps(asyncio.run(hammer(url, subject, int(limit), float(seconds)))))
