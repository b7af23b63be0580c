"""Redis, used as an accelerator only: nothing waits for it longer than 250 ms, and after a few failures not at all.

A circuit breaker: `FAILURES` calls in a row that failed open the circuit for `PAUSE` seconds, during which every call
is refused at once; then one call tries. Whoever calls must have another way (`Away` is not an error for a user).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

T = TypeVar("T")

DEADLINE = 0.25
FAILURES = 3
PAUSE = 1.0


class Away(Exception):
    """Redis did not answer in time, or is not asked at the moment."""


class Accelerator:
    """One pool of connections to the Redis of cache, bus and throttles."""

    def __init__(self, url: str, *, connections: int = 32) -> None:
        self.redis: Redis = Redis.from_pool(
            BlockingConnectionPool.from_url(
                url,
                max_connections=connections,
                timeout=DEADLINE,
                socket_connect_timeout=DEADLINE,
                # No socket_timeout: `call` has the deadline, and with one redis-py writes through asyncio.wait_for,
                # which costs a task each time and in Python 3.11 swallows a cancellation that comes as it ends.
                socket_timeout=None,
                retry=Retry(NoBackoff(), 0),
                protocol=3,
            )
        )
        self._failures = 0
        self._closed_until = 0.0

    @property
    def away(self) -> bool:
        """Whether calls are refused at the moment."""
        return self._failures >= FAILURES and time.monotonic() < self._closed_until

    async def call(self, operation: Callable[[Redis], Awaitable[T]], *, deadline: float = DEADLINE) -> T:
        """Run `operation` on the client within `deadline` seconds.

        Raises:
            Away: Redis failed, was too slow, or the circuit is open.
        """
        if self.away:
            raise Away
        if self._failures >= FAILURES:
            # Half open: this call tries, its neighbours are still refused until it is back.
            self._closed_until = time.monotonic() + PAUSE
        try:
            async with asyncio.timeout(deadline):
                answer = await operation(self.redis)
        except (RedisError, OSError, TimeoutError) as error:
            self._failures += 1
            self._closed_until = time.monotonic() + PAUSE
            raise Away from error
        self._failures = 0
        return answer

    async def close(self) -> None:
        await self.redis.aclose()
