"""What `limiter.lua` counted for the analytics, minute by minute, and how it leaves Redis.

A minute's hash is renamed once it is over, and so is out of reach of those that count; it has a name of its own from
then on, and is dropped only when Postgres has it. Whoever dies in between leaves it for the next one. All of it expires
after an hour: what no worker took until then is lost, and so is what Redis loses. With Redis away nothing is counted.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

from redis.asyncio import Redis

from app.domain.errors import Unavailable
from app.domain.orm import uuid7
from app.domain.throttling.usage_counts import Count, UsageBatch
from app.redis.client import RedisClient, RedisUnavailable

SCRIPT: Final = Path(__file__).with_name("usage_minutes.lua").read_text(encoding="utf-8")
SETTLED_MINUTES: Final = 2
"""The minute before the last is over for a minute at least: longer than a transaction may live, so whatever is given
back has been."""

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


class UsageReader:
    """Every method raises Unavailable when Redis is away."""

    def __init__(self, accelerator: RedisClient) -> None:
        self._accelerator = accelerator
        self._take_off = accelerator.redis.register_script(SCRIPT)
        self._drop = accelerator.redis.register_script(DROP)

    async def flights(self) -> list[int]:
        """The minutes (since 1970) whose counts are on their way, the oldest first."""
        arguments: list[str | bytes | int] = [str(uuid7()), SETTLED_MINUTES, LOST_MINUTES]
        found: list[int] = await self._ask(lambda redis: self._take_off(args=arguments, client=redis))
        return found

    async def read(self, minute: int) -> UsageBatch | None:
        """What is on its way from that minute; None when somebody has brought it home meanwhile."""
        fields: dict[bytes, bytes] = {}
        cursor = 0
        while True:
            cursor, some = await self._ask(partial(_scan, minute, cursor))
            fields |= some
            if cursor == 0:
                break
        name = fields.pop(b"id", None)
        return None if name is None else UsageBatch(name.decode(), minute, _counts(fields, minute))

    async def drop(self, flight: UsageBatch) -> None:
        """It has arrived."""
        await self._ask(lambda redis: self._drop(keys=[_key(flight.minute)], args=[flight.id], client=redis))

    async def _ask(self, operation: Callable[[Redis], Awaitable[Any]]) -> Any:
        try:
            return await self._accelerator.call(operation, deadline=SECONDS)
        except RedisUnavailable as error:
            raise Unavailable from error


def _key(minute: int) -> str:
    return f"throttle:flight:{minute}"


async def _scan(minute: int, cursor: int, redis: Redis) -> Any:
    return await redis.hscan(_key(minute), cursor, count=MINUTES_PER_READ)


def _counts(fields: dict[bytes, bytes], minute: int) -> list[Count]:
    """Attempts and refusals are fields of their own; what came to nothing is left out."""
    found = []
    for field, number in fields.items():
        shape = _FIELD.fullmatch(field.decode())
        if shape is None or shape[1]:
            continue  # of another version of the program; or refused: read with its attempts
        attempts, refused = int(number), int(fields.get(b"!" + field, 0))
        at = int(shape[5]) if shape[5] else minute * MINUTE
        if attempts > 0:
            found.append(Count(shape[3], int(shape[4]), shape[2], at, attempts, max(0, refused)))
    return found
