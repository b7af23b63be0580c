"""With Redis away each process enforces its share: coarser, never a 500, never a long wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from app.domain.rates import Rate
from app.redis.client import RedisClient
from app.settings import Settings
from app.throttling.limiter import RateLimiter, RateRequest
from app.throttling.local_limiter import LocalLimiter
from tests.support.web import API, join, problem, running

NOBODY = "redis://127.0.0.1:9/0"


@pytest.fixture
async def silent() -> AsyncIterator[str]:
    """A Redis that accepts and never answers."""
    held: list[asyncio.StreamWriter] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    yield f"redis://127.0.0.1:{port}/0"
    server.close()
    for writer in held:
        writer.close()


async def taken(throttles: RateLimiter, subject: str, times: int) -> int:
    async with asyncio.timeout(2):
        verdicts = [(await throttles.take([RateRequest(("policy",), subject)]))[0] for _ in range(times)]
    assert all(one.local for one in verdicts)
    return sum(one.allowed for one in verdicts)


@pytest.mark.parametrize(("processes", "share"), [(1, 8), (2, 4), (3, 2), (100, 1)])
async def test_each_process_enforces_its_share(processes: int, share: int, subject: str) -> None:
    redis_client = RedisClient(NOBODY)
    throttles = RateLimiter(redis_client, {"policy": Rate(8, 60)}, processes=processes)
    assert await taken(throttles, subject, 10) == share
    await redis_client.close()


async def test_a_silent_redis_delays_no_decision(silent: str, subject: str) -> None:
    redis_client = RedisClient(silent)
    throttles = RateLimiter(redis_client, {"policy": Rate(8, 60)})
    assert await taken(throttles, subject, 10) == 8
    await redis_client.close()


async def test_a_slot_taken_locally_is_returned_locally(subject: str) -> None:
    redis_client = RedisClient(NOBODY)
    throttles = RateLimiter(redis_client, {"messages": Rate(2, 60), "user": Rate(3, 86_400)})
    demand = RateRequest(("messages", "user"), subject)
    for _ in range(5):
        verdicts = await throttles.take([demand] * 3)
        assert [one.policy for one in verdicts] == [None, None, "messages"]
        await throttles.give_back(verdicts)
    await redis_client.close()


async def test_redis_decides_again_when_it_is_back(redis_url: str, subject: str) -> None:
    away, there = RedisClient(NOBODY), RedisClient(redis_url)
    throttles = RateLimiter(away, {"policy": Rate(1, 60)})
    assert await taken(throttles, subject, 2) == 1
    throttles._redis_client = there
    [first, second] = await throttles.take([RateRequest(("policy",), subject)] * 2)
    assert (first.local, first.allowed, second.allowed) == (False, True, False)
    await away.close()
    await there.close()


async def test_a_local_limiter_remembers_a_bounded_number_of_subjects() -> None:
    counters = LocalLimiter(max_counters=10, clock=lambda: 1_000.0)
    rate = Rate(1, 60)
    for i in range(50):
        assert counters.take([f"subject {i}"], [rate], 1)[0] == -1
    assert len(counters._counters) == 10
    assert counters.take(["subject 49"], [rate], 1)[0] == 0
    counters.give_back(["subject 0"], (1,), 1)


async def test_without_redis_the_chat_answers_and_throttles(settings: Settings) -> None:
    away = {"redis_url": NOBODY, "cache_redis_url": NOBODY, "throttle_requests": Rate(8, 60), "web_concurrency": 2}
    async with running(settings, **away) as api:
        ada = await join(api)
        answers = [await api.get(f"{API}/me/", headers=ada.headers) for _ in range(6)]
    assert [one.status_code for one in answers] == [200] * 4 + [429] * 2
    problem(answers[-1], 429, "throttled")
    assert int(answers[-1].headers["retry-after"]) >= 1
