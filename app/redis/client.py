"""The Redis client with a circuit breaker. Redis is optional: a call waits at most 250 ms, unless it sets a deadline.

`FAILURES` consecutive failed calls open the circuit for `PAUSE` seconds, during which every call is refused at once;
then one call probes. Every caller needs a fallback: users never see `RedisUnavailable`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from prometheus_client import Counter
from redis.asyncio import BlockingConnectionPool, Connection, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

T = TypeVar("T")

DEADLINE = 0.25
FAILURES = 3
PAUSE = 1.0

FAILED = Counter("chat_redis_failures", "Calls to the Redis of cache and live events that failed or timed out.")


class RedisUnavailable(Exception):
    """Redis failed or timed out, or the circuit is open."""


class FastRedis(Redis):
    """redis-py's client with a fast path for single commands: take an idle connection, send, read the answer.

    redis-py's own path, which every request would take twice, costs half as much again (measured: 66 against 44 us):
    the pool's locks and timeout, retries (none here), telemetry. Commands beyond the pool's size take the slow path,
    which waits for a connection.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        # redis-py has no types for these two.
        self._pool: Any = self.connection_pool
        self._slow_path: Any = super().execute_command
        self._idle: list[Connection] = []
        self._busy = 0
        self._closed = False

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Returns the answer. Raises RedisError or OSError."""
        if self._busy >= self._pool.max_connections:
            return await self._slow_path(*args, **options)
        self._busy += 1
        try:
            connection = self._idle.pop() if self._idle else self._pool.make_connection()
            try:
                if connection.is_connected and await connection.can_read():
                    await connection.disconnect(nowait=True)  # the server closed it while it was idle
                await connection.connect()
                await connection.send_command(*args)
                return await self.parse_response(connection, args[0], **options)
            except ResponseError:
                raise  # a complete answer: the connection stays usable
            except BaseException:
                # The answer may still arrive, and the next command would read it. Disconnect, but keep the object for
                # reconnection: if all idle connections are dead, one call discovers it, not every call.
                await connection.disconnect(nowait=True)
                raise
            finally:
                self._idle.append(connection)
                if self._closed:
                    await connection.disconnect(nowait=True)
        finally:
            self._busy -= 1

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        self._closed = True
        while self._idle:
            await self._idle.pop().disconnect(nowait=True)
        await super().aclose(close_connection_pool)


class RedisClient:
    """A connection pool to the Redis of the cache, bus and rate limiter."""

    def __init__(self, url: str, *, connections: int = 32) -> None:
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=connections,
            timeout=DEADLINE,
            socket_connect_timeout=DEADLINE,
            # No socket_timeout: `call` has the deadline. With one, redis-py writes through asyncio.wait_for, which
            # costs a task each time and, in Python 3.11, swallows a cancellation that arrives as it ends.
            socket_timeout=None,
            retry=Retry(NoBackoff(), 0),
            protocol=3,
        )
        self.redis = FastRedis(connection_pool=pool)
        self._failures = 0
        self._open_until = 0.0

    @property
    def is_open(self) -> bool:
        """True while the circuit is open."""
        return self._failures >= FAILURES and time.monotonic() < self._open_until

    async def call(self, operation: Callable[[Redis], Awaitable[T]], *, deadline: float = DEADLINE) -> T:
        """Runs `operation` on the client within `deadline` seconds.

        Raises:
            RedisUnavailable: Redis failed or timed out, or the circuit is open.
        """
        if self.is_open:
            raise RedisUnavailable
        if self._failures >= FAILURES:
            # Half-open: this call probes; concurrent calls are refused until it returns.
            self._open_until = time.monotonic() + PAUSE
        try:
            async with asyncio.timeout(deadline):
                answer = await operation(self.redis)
        except (RedisError, OSError, TimeoutError) as error:
            self._failures += 1
            FAILED.inc()
            self._open_until = time.monotonic() + PAUSE
            raise RedisUnavailable from error
        self._failures = 0
        return answer

    async def close(self) -> None:
        await self.redis.aclose(close_connection_pool=True)
