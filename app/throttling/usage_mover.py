"""Moves the usage counts of `limiter.lua` from Redis to the analytics in Postgres, minute by minute.

When a minute is over its hash is renamed to a batch, which counters no longer touch. A batch has its own id and is
deleted only after Postgres has committed it; if a worker dies in between, the next one takes over. All counts expire
after an hour: what no worker read by then is lost, as is what Redis loses. While Redis is down nothing is counted.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

from redis.asyncio import Redis

from app.domain.error_catalogue import unavailable
from app.domain.orm import uuid7
from app.domain.throttling.usage_counts import Count, UsageBatch
from app.redis.client import RedisClient, RedisUnavailable

SCRIPT: Final = Path(__file__).with_name("take_usage.lua").read_text(encoding="utf-8")
SETTLED_MINUTES: Final = 2
"""The minute before last ended at least a minute ago: longer than a transaction may live, so all refunds are in."""

LOST_MINUTES: Final = 62
SECONDS: Final = 2.0
MINUTES_PER_READ: Final = 1_000
MINUTE: Final = 60

DROP: Final = """
if redis.call('HGET', KEYS[1], 'id') == ARGV[1] then
  redis.call('UNLINK', KEYS[1])
end
"""
_FIELD: Final = re.compile(r"(!?)throttle:\{(.*)\}:(\w+):(\d+)(?:@(\d+))?", re.DOTALL)


class UsageMover:
    """Every method raises Unavailable while Redis is down."""

    def __init__(self, redis_client: RedisClient) -> None:
        self._redis_client = redis_client
        self._open_script = redis_client.redis.register_script(SCRIPT)
        self._drop_script = redis_client.redis.register_script(DROP)

    async def open_batches(self) -> list[int]:
        """Renames the settled minutes to batches and returns all open batches: minutes since 1970, oldest first."""
        arguments: list[str | bytes | int] = [str(uuid7()), SETTLED_MINUTES, LOST_MINUTES]
        found: list[int] = await self._call(lambda redis: self._open_script(args=arguments, client=redis))
        return found

    async def read(self, minute: int) -> UsageBatch | None:
        """Returns the batch of that minute, or None if another worker has finished it."""
        fields: dict[bytes, bytes] = {}
        cursor = 0
        while True:
            cursor, page = await self._call(partial(_scan, minute, cursor))
            fields |= page
            if cursor == 0:
                break
        name = fields.pop(b"id", None)
        return None if name is None else UsageBatch(name.decode(), minute, _counts(fields, minute))

    async def drop(self, batch: UsageBatch) -> None:
        """Deletes the batch from Redis once Postgres has committed it."""
        await self._call(lambda redis: self._drop_script(keys=[_key(batch.minute)], args=[batch.id], client=redis))

    async def _call(self, operation: Callable[[Redis], Awaitable[Any]]) -> Any:
        try:
            return await self._redis_client.call(operation, deadline=SECONDS)
        except RedisUnavailable as error:
            raise unavailable() from error


def _key(minute: int) -> str:
    return f"throttle:flight:{minute}"


async def _scan(minute: int, cursor: int, redis: Redis) -> Any:
    return await redis.hscan(_key(minute), cursor, count=MINUTES_PER_READ)


def _counts(fields: dict[bytes, bytes], minute: int) -> list[Count]:
    """Pairs the fields of attempts and refusals. Omits counts whose requests were all given back."""
    found = []
    for field, number in fields.items():
        match = _FIELD.fullmatch(field.decode())
        if match is None or match[1]:
            continue  # from another version of the program; or a refusal, read with its attempts
        attempts, refused = int(number), int(fields.get(b"!" + field, 0))
        second = int(match[5]) if match[5] else minute * MINUTE
        if attempts > 0:
            found.append(Count(match[3], int(match[4]), match[2], second, attempts, max(0, refused)))
    return found
