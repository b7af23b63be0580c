"""Each count of the throttles is stored in Postgres once, despite a crash at any step."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import cast

import psycopg
import pytest
import redis

from app.domain.orm import uuid7
from app.domain.rates import Rate
from app.domain.throttling import usage
from app.domain.throttling.usage_counts import Count, Subjects, UsageBatch
from app.throttling import limiter as throttles_module
from app.throttling.limiter import RateLimiter, RateRequest
from app.throttling.usage_mover import UsageMover
from tests.support.throttling.desk import MINUTE, Desk, keys, rows, today
from tests.support.throttling.fixtures import Clock, Make
from tests.support.throttling.generator import RATES
from tests.support.throttling.oracle import MICROSECONDS


@pytest.fixture
def stage(desk: Desk, clock: Clock, make: Make) -> RateLimiter:
    """Throttles on the clock, with the desk's tallies on it too."""
    today(clock)
    desk.usage_mover = UsageMover(desk.usage_mover._redis_client)
    return make(messages=Rate(2, 60), address=Rate(2, 60), user=Rate(100, 86_400))


async def test_attempts_count_allowed_and_refused_requests_but_no_returned_ones(
    desk: Desk, stage: RateLimiter, clock: Clock, subject: str
) -> None:
    demand = RateRequest(("messages", "user"), subject)
    verdicts = await stage.take([demand] * 6)
    assert [one.allowed for one in verdicts] == [True] * 2 + [False] * 4
    await stage.give_back([verdicts[0], verdicts[2], verdicts[3]])
    clock.advance(3 * MINUTE)
    assert await desk.bring() == 1
    ((_, who, attempts, refused, windows), user) = await rows(desk)
    assert (str(who), attempts, refused, sum(cast("list[int]", windows))) == (subject, 3, 2, 3)
    # What another policy refused was attempted under this one, too.
    assert user == ("user", who, 3, 0, [])


async def test_counts_leave_only_when_their_minute_is_over_for_a_minute(
    desk: Desk, stage: RateLimiter, clock: Clock, subject: str
) -> None:
    clock.advance(MINUTE - clock.now % MINUTE)
    [verdict] = await stage.take([RateRequest(("messages",), subject)])
    clock.advance(2 * MINUTE - 1)
    assert await desk.bring() == 0
    await stage.give_back([verdict])
    clock.advance(1)
    assert await desk.bring() == 1
    assert await rows(desk) == []


async def test_a_request_returned_after_its_minute_was_stored_stays_counted(
    desk: Desk, stage: RateLimiter, clock: Clock, subject: str, redis_url: str
) -> None:
    [verdict] = await stage.take([RateRequest(("messages",), subject)])
    clock.advance(3 * MINUTE)
    await desk.bring()
    await stage.give_back([verdict])
    clock.advance(3 * MINUTE)
    assert await desk.bring() == 0
    assert [row[2] for row in await rows(desk)] == [1]
    assert keys(redis_url, "throttle:counts:*", "throttle:flight:*") == []


@pytest.mark.parametrize("dies", ["reading", "committing", "dropping"])
async def test_a_crash_at_any_step_neither_loses_nor_doubles_counts(
    desk: Desk, stage: RateLimiter, clock: Clock, subject: str, dies: str
) -> None:
    await stage.take([RateRequest(("messages",), subject)] * 3)
    clock.advance(3 * MINUTE)
    for _ in range(2):
        assert await desk.bring(dies) == 0
    assert len(await rows(desk)) == (dies == "dropping")
    assert await desk.bring() == 1
    assert [row[2:4] for row in await rows(desk)] == [(3, 1)]
    assert await desk.bring() == 0


async def test_concurrent_transfers_store_each_minute_once(
    desk: Desk, stage: RateLimiter, clock: Clock, subject: str, redis_url: str
) -> None:
    for _ in range(5):
        await stage.take([RateRequest(("messages",), subject)] * 3)
        clock.advance(MINUTE)
    clock.advance(3 * MINUTE)
    minutes = await desk.usage_mover.open_batches()
    flights = [await desk.usage_mover.read(minute) for minute in minutes] * 2

    async def add(flight: UsageBatch | None) -> bool:
        assert flight is not None
        async with desk.database.transaction() as session:
            return await usage.add(session, flight, desk.subjects)

    assert True in await asyncio.gather(*(add(one) for one in flights))
    while await desk.bring():
        pass
    assert sum(cast("int", row[2]) for row in await rows(desk)) == 15
    assert keys(redis_url, "throttle:flight:*") == []


async def test_dropping_a_batch_keeps_a_second_batch_of_the_same_minute(
    desk: Desk, stage: RateLimiter, clock: Clock, subject: str
) -> None:
    """The server's clock was set back: the minute is counted in again."""
    await stage.take([RateRequest(("messages",), subject)])
    clock.advance(3 * MINUTE)
    (minute,) = await desk.usage_mover.open_batches()
    first = await desk.usage_mover.read(minute)
    assert first is not None
    await desk.bring()
    clock.advance(-3 * MINUTE)
    await stage.take([RateRequest(("messages",), subject)])
    clock.advance(3 * MINUTE)
    assert await desk.usage_mover.open_batches() == [minute]
    await desk.usage_mover.drop(first)
    assert await desk.bring() == 1
    ((_, _, attempts, _, windows),) = await rows(desk)
    assert (attempts, max(cast("list[int]", windows))) == (2, 2)


async def test_subjects_above_the_bound_are_counted_together(
    desk: Desk, clock: Clock, make: Make, monkeypatch: pytest.MonkeyPatch, redis_url: str
) -> None:
    assert "local MOST, KEPT_SECONDS = 20000, 3600" in throttles_module.SCRIPT
    monkeypatch.setattr(
        throttles_module,
        "SCRIPT",
        throttles_module.SCRIPT.replace("MOST, KEPT_SECONDS = 20000", "MOST, KEPT_SECONDS = 10"),
    )
    today(clock)
    desk.usage_mover, stage = UsageMover(desk.usage_mover._redis_client), make(messages=Rate(1, 60))
    people = [str(uuid7()) for _ in range(40)]
    verdicts = []
    for who in people:
        verdicts += await stage.take([RateRequest(("messages",), who)] * 2)
    (counts,) = keys(redis_url, "throttle:counts:*")
    with redis.Redis.from_url(redis_url, socket_timeout=5) as client:
        assert client.hlen(counts) <= 14
    await stage.give_back(verdicts[-2:])
    clock.advance(3 * MINUTE)
    await desk.bring()
    async with desk.database.transaction() as session:
        reports = desk.reports({"messages": Rate(1, 60)})
        since = datetime.fromtimestamp(clock.now / MICROSECONDS - 86_400, UTC)
        (received,) = (await reports.analytics(session, "messages", since, None)).policies
        requested = await reports.what_if(session, "messages", limit=1, share=0.01, since=since, until=None)
    assert (received.attempts, received.refused) == (78, 39)
    assert (received.subjects, received.unattributed) == (requested.subjects, requested.unattributed)
    assert received.subjects < 10
    assert requested.attempts + requested.unattributed == 78


async def test_a_network_is_a_digest_in_the_database_and_only_there(
    desk: Desk, stage: RateLimiter, clock: Clock, fresh_database_url: str
) -> None:
    await stage.take([RateRequest(("address",), "2001:db8:0:7::/64"), RateRequest(("address",), "203.0.113.7")] * 3)
    clock.advance(3 * MINUTE)
    await desk.bring()
    found = await rows(desk)
    assert [row[2:4] for row in found] == [(3, 1)] * 2
    assert {row[1] for row in found} == {
        Subjects("for tests only").stored("address", one) for one in ("2001:db8:0:7::/64", "203.0.113.7")
    }
    assert Subjects("another secret").stored("address", "203.0.113.7") not in {row[1] for row in found}
    async with desk.database.transaction() as session:
        since = datetime.fromtimestamp(clock.now / MICROSECONDS - 86_400, UTC)
        (received,) = (
            await desk.reports(RATES | {"address": Rate(2, 60)}).analytics(session, "address", since, None)
        ).policies
    assert {(one.subject in {row[1] for row in found}, one.person) for one in received.most_refused} == {(True, None)}


async def test_an_hour_of_many_people_goes_in_portions(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    old = int(datetime.now(UTC).timestamp()) - 15 * 86_400
    at = old - old % 60
    flight = UsageBatch("old", at // 60, [Count("messages", 60, str(uuid7()), at, 1, 0) for _ in range(5)])
    async with desk.database.transaction() as session:
        await usage.add(session, flight, desk.subjects)
    monkeypatch.setattr(usage, "MAX_DELETED", 2)
    left = []
    for _ in range(4):
        async with desk.database.transaction() as session:
            await usage.sweep(session)
        left.append(len(await rows(desk)))
    assert left == [3, 1, 0, 0]


async def test_old_counts_are_deleted_hour_by_hour_and_sooner_above_the_bound(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, fresh_owner_url: str
) -> None:
    now = int(datetime.now(UTC).timestamp())
    for days in (15, 14.5, 3, 2, 0):
        at = int(now - days * 86_400)
        flight = UsageBatch(f"{days}", at // 60, [Count("messages", 60, str(uuid7()), at - at % 60, 1, 0)])
        async with desk.database.transaction() as session:
            await usage.add(session, flight, desk.subjects)

    async def swept() -> int:
        async with desk.database.transaction() as session:
            await usage.sweep(session)
        return len(await rows(desk))

    assert [await swept() for _ in range(3)] == [4, 3, 3]
    with psycopg.connect(fresh_owner_url, autocommit=True) as connection:
        connection.execute("ANALYZE throttle_attempts")
    monkeypatch.setattr(usage, "MAX_ROWS", 2)
    assert [await swept() for _ in range(3)] == [2, 1, 1]
