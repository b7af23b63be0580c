"""Redis, used as an accelerator only: nothing waits for it longer than 250 ms, and after a few failures not at all.

A circuit breaker: `FAILURES` calls in a row that failed open the circuit for `PAUSE` seconds, during which every call
is refused at once; then one call tries. Every caller needs another way
(`RedisUnavailable` is not an error for a user).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from redis.asyncio import BlockingConnectionPool, Connection, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

T = TypeVar("T")

DEADLINE = 0.25
FAILURES = 3
PAUSE = 1.0


class RedisUnavailable(Exception):
    """Redis did not answer in time, or is not asked at the moment."""


class FastRedis(Redis):
    """The library's client, with a shorter way for single commands: a connection that waits, the command, its answer.

    Its own way, which every request would go twice, costs half as much again (measured: 66 and 44 us): the pool's
    locks and deadline, retries (there are none here), notes for telemetry. More at a time than the pool has go the long
    way, which waits.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        # No types are given for these two.
        self._pool: Any = self.connection_pool
        self._long_way: Any = super().execute_command
        self._waiting: list[Connection] = []
        self._busy = 0
        self._closed = False

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """The answer. Raises RedisError or OSError."""
        if self._busy >= self._pool.max_connections:
            return await self._long_way(*args, **options)
        self._busy += 1
        try:
            connection = self._waiting.pop() if self._waiting else self._pool.make_connection()
            try:
                if connection.is_connected and await connection.can_read():
                    await connection.disconnect(nowait=True)  # an end that came while it waited
                await connection.connect()
                await connection.send_command(*args)
                return await self.parse_response(connection, args[0], **options)
            except ResponseError:
                raise  # that was its answer
            except BaseException:
                # Its answer may be on the way, and would be the next one's. It goes back to be made anew: when all that
                # wait are dead, one call finds out and not each.
                await connection.disconnect(nowait=True)
                raise
            finally:
                self._waiting.append(connection)
                if self._closed:
                    await connection.disconnect(nowait=True)
        finally:
            self._busy -= 1

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        self._closed = True
        while self._waiting:
            await self._waiting.pop().disconnect(nowait=True)
        await super().aclose(close_connection_pool)


class RedisClient:
    """One pool of connections to the Redis of cache, bus and throttles."""

    def __init__(self, url: str, *, connections: int = 32) -> None:
        pool = BlockingConnectionPool.from_url(
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
        self.redis = FastRedis(connection_pool=pool)
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
            raise RedisUnavailable
        if self._failures >= FAILURES:
            # Half open: this call tries, its neighbours are still refused until it is back.
            self._closed_until = time.monotonic() + PAUSE
        try:
            async with asyncio.timeout(deadline):
                answer = await operation(self.redis)
        except (RedisError, OSError, TimeoutError) as error:
            self._failures += 1
            self._closed_until = time.monotonic() + PAUSE
            raise RedisUnavailable from error
        self._failures = 0
        return answer

    async def close(self) -> None:
        await self.redis.aclose(close_connection_pool=True)
