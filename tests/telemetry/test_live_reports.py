"""The figures of all processes are one answer, wherever it is read, and say when they are not complete."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from redis.asyncio import Redis

from app.domain.errors import Unavailable
from app.domain.jobs.schemas import MailFailure, QueueReport, QueueState, QueueStats
from app.domain.operators.backlog import Backlog
from app.redis.client import RedisClient
from app.telemetry import live_reports
from app.telemetry.background_metrics import BackgroundMetrics
from app.telemetry.live_reports import ALIVE_SECONDS, INDEX, LiveReports, summed
from app.telemetry.process_figures import BUCKETS, ProcessFigures, RecentFigures
from tests.support.client import eventually

QUEUE = QueueState(name="upkeep", waiting=2, oldest=7.0, running=1, per_minute=1.0, retried=0, failed=0)
STATS = QueueStats(
    QueueReport(queues=[QUEUE], workers=["celery@one"]),
    {},
    {},
    mails={},
    beat=4.0,
    mail_failure=MailFailure(at=0.0, why="refused"),
)
BACKLOG = Backlog(mails_waiting=4, mails_postponed=2, oldest=60.0, failed_tasks=1)


class Fixed(RecentFigures):
    """Figures that a test has chosen."""

    def __init__(self, figures: ProcessFigures) -> None:
        super().__init__({})
        self.fixed = figures

    def figures(self, now: float) -> ProcessFigures:
        del now
        return self.fixed


def answering(value: object) -> Callable[[], Awaitable[object]]:
    async def read() -> object:
        if isinstance(value, Exception):
            raise value
        return value

    return read


def background(stats: object = STATS, backlog: object = BACKLOG) -> BackgroundMetrics:
    return BackgroundMetrics(answering(stats), answering(backlog))  # type: ignore[arg-type]  # stands in for both


def process(redis: RedisClient, sockets: int) -> LiveReports:
    recent = Fixed(ProcessFigures(sockets=sockets, sends_per_second=1.0, delivery=[1] * BUCKETS))
    return LiveReports(redis, background(), recent)


@pytest.fixture
async def redis(empty_redis_url: str) -> AsyncIterator[RedisClient]:
    opened = RedisClient(empty_redis_url)
    yield opened
    await opened.close()


async def seen(reports: LiveReports) -> tuple[int, int]:
    found = await reports.figures()
    assert found.complete
    return found.processes, found.sockets


async def test_any_process_and_the_command_see_the_sum(redis: RedisClient) -> None:
    one, two = process(redis, 2), process(redis, 3)
    command = LiveReports(redis, background())
    running = [asyncio.create_task(each.run()) for each in (one, two)]

    async def both() -> bool:
        return [await seen(each) for each in (one, two, command)] == [(2, 5)] * 3

    await eventually(both)
    assert (await command.figures()).sends_per_second == 2.0
    running[1].cancel()
    await asyncio.gather(running[1], return_exceptions=True)
    assert await seen(command) == (1, 2), "a process that stops withdraws its report"
    running[0].cancel()
    await asyncio.gather(running[0], return_exceptions=True)
    assert await seen(command) == (0, 0)


async def test_the_report_of_a_killed_process_expires(redis: RedisClient) -> None:
    killed, command = process(redis, 2), LiveReports(redis, background())
    await killed._tell(ProcessFigures(sockets=2))

    async def expire(client: Redis) -> int:
        (name,) = await client.smembers(INDEX)
        assert isinstance(name, bytes)
        remaining = await client.ttl(live_reports._key(name.decode()))
        await client.delete(live_reports._key(name.decode()))
        return int(remaining)

    assert 0 < await redis.call(expire) <= ALIVE_SECONDS
    assert await seen(command) == (0, 0)

    async def indexed(client: Redis) -> int:
        return int(await client.scard(INDEX))

    assert await redis.call(indexed) == 0


@pytest.mark.parametrize("foreign", [b"not JSON", b'{"sockets": "many"}', b'{"sockets": 9, "delivery": [1, 2]}'])
async def test_the_report_of_another_release_is_left_out(redis: RedisClient, foreign: bytes) -> None:
    async def write(client: Redis) -> None:
        await client.sadd(INDEX, "other")
        await client.set(live_reports._key("other"), foreign)

    await redis.call(write)
    assert await seen(process(redis, 2)) == (1, 2)


async def test_without_redis_a_process_reports_itself_and_says_so() -> None:
    gone = RedisClient("redis://127.0.0.1:1/0")
    found = await process(gone, 2).figures()
    assert (found.complete, found.processes, found.sockets) == (False, 1, 2)
    assert (found.redis.up, found.redis.broker_up, found.postgres.up) == (False, True, True)
    await gone.close()


async def test_servers_that_do_not_answer_make_their_figures_null(redis: RedisClient) -> None:
    reports = LiveReports(redis, background(Unavailable(), Unavailable()))
    found = await reports.figures()
    assert (found.queues, found.workers, found.beat) == (None, None, None)
    assert (found.failed_tasks, found.mails) == (None, None)
    assert (found.redis.broker_up, found.postgres.up, found.redis.up) == (False, False, True)


async def test_the_figures_of_the_background_are_those_of_the_metrics(redis: RedisClient) -> None:
    found = await LiveReports(redis, background()).figures()
    assert (found.queues, found.workers, found.beat, found.failed_tasks) == ([QUEUE], ["celery@one"], 4.0, 1)
    assert found.mails is not None
    assert (found.mails.waiting, found.mails.postponed, found.mails.oldest, found.mails.failing) == (4, 2, 60.0, True)


def test_shares_and_quantiles_are_of_the_sum() -> None:
    slow, fast = [0] * BUCKETS, [0] * BUCKETS
    fast[0], slow[11] = 98, 2
    parts = [
        ProcessFigures(delivery=fast, pages={"page": 3}, pool_size=18, pool_in_use=1),
        ProcessFigures(delivery=slow, pages={"missing": 1}, pool_size=18, pool_waiting=2),
    ]
    found = summed(parts, None, None, complete=True)
    assert (found.delivery.measured, found.delivery.p50, found.delivery.p99) == (100, 0.5, 87.5)
    assert (found.cache.reads, found.cache.hits, found.cache.share) == (4, 3, 0.75)
    assert (found.postgres.connections, found.postgres.in_use, found.postgres.waiting) == (36, 1, 2)
    empty = summed([], None, None, complete=False)
    assert (empty.delivery.p50, empty.cache.share, empty.processes) == (None, None, 0)
