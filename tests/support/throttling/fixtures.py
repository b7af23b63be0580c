"""Throttles on a real Redis, and on one whose clock stands where a test puts it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from app.db import Database, open_engine
from app.domain.orm import uuid7
from app.domain.rates import Rate
from app.redis.client import RedisClient
from app.throttling import limiter as module
from app.throttling import usage_mover
from app.throttling.limiter import RateLimiter
from app.throttling.usage_mover import UsageMover
from tests.support.throttling.clock import SERVERS_CLOCK, SET_CLOCK, Clock
from tests.support.throttling.desk import Desk

__all__ = ["Clock", "Make"]

Make = Callable[..., RateLimiter]


@pytest.fixture
async def redis_client(redis_url: str) -> AsyncIterator[RedisClient]:
    opened = RedisClient(redis_url)
    yield opened
    await opened.close()


@pytest.fixture
def make(redis_client: RedisClient) -> Make:
    """Throttles with these limits."""

    def made(processes: int = 1, **rates: Rate) -> RateLimiter:
        return RateLimiter(redis_client, rates, processes=processes)

    return made


@pytest.fixture
def subject() -> str:
    """A subject that no other test counts."""
    return str(uuid7())


@pytest.fixture
def clock(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Throttles and tallies made from now on in this test live by this clock."""
    for one in (module, usage_mover):
        assert SERVERS_CLOCK in one.SCRIPT
        monkeypatch.setattr(one, "SCRIPT", one.SCRIPT.replace(SERVERS_CLOCK, SET_CLOCK))
    return Clock(redis_url)


@pytest.fixture
async def desk(fresh_database_url: str, redis_client: RedisClient, empty_redis_url: str) -> AsyncIterator[Desk]:
    database = Database(open_engine(fresh_database_url.replace("postgresql:", "postgresql+psycopg:", 1)))
    yield Desk(database, UsageMover(redis_client))
    await database.close()
