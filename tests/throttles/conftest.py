"""Throttles on a real Redis, and on one whose clock stands where a test puts it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest
import redis

from app.domain.rates import Rate
from app.domain.rows import uuid7
from app.realtime import throttles as module
from app.realtime.accelerator import Accelerator
from app.realtime.throttles import Throttles

SERVERS_CLOCK = "redis.call('TIME')"
SET_CLOCK = "{redis.call('HGET', 'clock', 's'), redis.call('HGET', 'clock', 'us')}"

Make = Callable[..., Throttles]


@pytest.fixture
async def accelerator(redis_url: str) -> AsyncIterator[Accelerator]:
    opened = Accelerator(redis_url)
    yield opened
    await opened.close()


@pytest.fixture
def make(accelerator: Accelerator) -> Make:
    """Throttles with these limits."""

    def made(processes: int = 1, **rates: Rate) -> Throttles:
        return Throttles(accelerator, rates, processes=processes)

    return made


@pytest.fixture
def subject() -> str:
    """Somebody no other test counts."""
    return str(uuid7())


class Clock:
    """The server's clock as the script sees it, in microseconds; far enough from zero to be set back."""

    def __init__(self, url: str) -> None:
        self._redis = redis.Redis.from_url(url, socket_timeout=5)
        self.now = 1_800_000_000_000_000
        self.advance(0)

    def advance(self, microseconds: int) -> None:
        self.now += microseconds
        self._redis.hset("clock", mapping={"s": self.now // 1_000_000, "us": self.now % 1_000_000})

    def close(self) -> None:
        self._redis.close()


@pytest.fixture
def clock(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Throttles made from now on in this test live by this clock."""
    assert SERVERS_CLOCK in module.SCRIPT
    monkeypatch.setattr(module, "SCRIPT", module.SCRIPT.replace(SERVERS_CLOCK, SET_CLOCK))
    return Clock(redis_url)
