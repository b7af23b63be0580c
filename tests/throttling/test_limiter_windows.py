"""At most N in any window, and refusing at most 1/60 of the window longer than it must: against a simple oracle."""

from __future__ import annotations

import asyncio
from math import ceil

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.domain.orm import uuid7
from app.domain.rates import Rate
from app.throttling.limiter import RateDecision, RateRequest
from app.throttling.local_limiter import LocalLimiter
from tests.support.throttling.fixtures import Clock, Make
from tests.support.throttling.oracle import MICROSECONDS, Oracle

WINDOWS = st.sampled_from([1, 60, 86_400])
LIMITS = st.integers(1, 12)
EDGES = st.sampled_from([1 / 120, 1 / 60, 1.0, 122 / 120])
# Steps as parts of the window, so that all sizes around buckets and windows occur; then take, or give the last back.
STEPS = st.lists(
    st.tuples(
        st.one_of(
            st.just(0.0), st.floats(0, 0.03), st.floats(0, 1.2), st.sampled_from([1 / 120, 1 / 60, 1.0, 122 / 120])
        ),
        st.sampled_from(["take", "take", "take", "give"]),
        st.integers(1, 3),
    ),
    min_size=1,
    max_size=60,
)
MANY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@MANY
@given(limit=LIMITS, window=WINDOWS, steps=STEPS)
async def test_the_script_agrees_with_the_oracle(
    make: Make, clock: Clock, limit: int, window: int, steps: list[tuple[float, str, int]]
) -> None:
    rate = Rate(limit, window)
    throttles, oracle, demand = make(policy=rate), Oracle(rate), RateRequest(("policy",), str(uuid7()))
    taken: list[tuple[RateDecision, int]] = []
    for part, action, cost in steps:
        clock.advance(int(part * window * MICROSECONDS))
        if action == "give" and taken:
            verdict, at = taken.pop()
            await throttles.give_back([verdict])
            oracle.give_back(at, verdict.request.cost)
            continue
        [verdict] = await throttles.take([RateRequest(demand.policies, demand.subject, cost)])
        if verdict.allowed:
            assert oracle.may(clock.now, cost)
            oracle.take(clock.now, cost)
            taken.append((verdict, clock.now))
        else:
            assert not oracle.must(clock.now, cost)
            assert 1 <= verdict.retry_after <= ceil(window * 61 / 60) + 1


@MANY
@given(limit=LIMITS, window=WINDOWS, steps=STEPS)
async def test_the_local_limiter_agrees_with_the_oracle(
    limit: int, window: int, steps: list[tuple[float, str, int]]
) -> None:
    rate = Rate(limit, window)
    oracle, now = Oracle(rate), [1_000_000_000_000]
    taken: list[tuple[int, tuple[int, ...], int]] = []
    counters = LocalLimiter(clock=lambda: now[0] / MICROSECONDS)
    for part, action, cost in steps:
        now[0] += int(part * window * MICROSECONDS)
        if action == "give" and taken:
            at, buckets, given_back = taken.pop()
            counters.give_back(["key"], buckets, given_back)
            oracle.give_back(at, given_back)
            continue
        which, seconds, buckets = counters.take(["key"], [rate], cost)
        if which < 0:
            assert oracle.may(now[0], cost)
            oracle.take(now[0], cost)
            taken.append((now[0], buckets, cost))
        else:
            assert not oracle.must(now[0] + 1, cost)
            assert 1 <= seconds <= ceil(window * 61 / 60) + 1


@MANY
@given(limit=LIMITS, window=WINDOWS, steps=STEPS)
async def test_a_subject_that_waits_retry_after_is_allowed(
    make: Make, clock: Clock, limit: int, window: int, steps: list[tuple[float, str, int]]
) -> None:
    rate = Rate(limit, window)
    throttles, subject = make(policy=rate), str(uuid7())
    for part, _, cost in steps:
        clock.advance(int(part * window * MICROSECONDS))
        demand = RateRequest(("policy",), subject, min(cost, limit))
        [verdict] = await throttles.take([demand])
        if not verdict.allowed:
            clock.advance(verdict.retry_after * MICROSECONDS)
            [again] = await throttles.take([demand])
            assert again.allowed


async def test_the_reported_wait_is_no_longer_than_necessary(make: Make, clock: Clock, subject: str) -> None:
    throttles, demand = make(policy=Rate(2, 86_400)), RateRequest(("policy",), subject)
    await throttles.take([demand])
    clock.advance(3_600 * MICROSECONDS)
    [_, refused] = await throttles.take([demand] * 2)
    first_ends = 86_400 - 3_600
    assert first_ends <= refused.retry_after <= first_ends + 86_400 / 60 + 1


async def test_both_bounds_are_exact(make: Make, clock: Clock) -> None:
    """What is taken counts for W + W/120 at least, at the end of a bucket, and for W + W/60 at most, at its start."""
    bucket, window = 500_000, 60 * MICROSECONDS
    throttles = make(policy=Rate(1, 60))
    clock.advance(-(clock.now % bucket))
    for offset, counts in ((bucket - 1, window + bucket), (0, window + 2 * bucket - 1)):
        clock.advance(offset)
        demand = RateRequest(("policy",), str(uuid7()))
        await throttles.take([demand])
        clock.advance(counts)
        [refused] = await throttles.take([demand])
        assert not refused.allowed
        clock.advance(1)
        [allowed] = await throttles.take([demand])
        assert allowed.allowed
        clock.advance(-(clock.now % bucket))


async def test_a_clock_set_back_allows_no_extra_request(make: Make, clock: Clock, subject: str) -> None:
    throttles, demand = make(policy=Rate(3, 60)), RateRequest(("policy",), subject)
    assert all(one.allowed for one in await throttles.take([demand] * 3))
    for back in (1, 30, 59, 3_600):
        clock.advance(-back * MICROSECONDS)
        [verdict] = await throttles.take([demand])
        assert not verdict.allowed
    clock.advance(62 * MICROSECONDS)
    assert all(one.allowed for one in await throttles.take([demand] * 3))


async def test_a_clock_set_back_blocks_for_at_most_one_window(make: Make, clock: Clock, subject: str) -> None:
    throttles, demand = make(policy=Rate(1, 60)), RateRequest(("policy",), subject)
    await throttles.take([demand])
    clock.advance(-86_400 * MICROSECONDS)
    [refused] = await throttles.take([demand])
    assert refused.retry_after <= 62
    clock.advance(62 * MICROSECONDS)
    [verdict] = await throttles.take([demand])
    assert verdict.allowed


async def test_the_limiter_works_on_the_servers_own_clock(make: Make, subject: str) -> None:
    throttles, demand = make(policy=Rate(2, 1)), RateRequest(("policy",), subject)
    first, second, third = await throttles.take([demand] * 3)
    assert (first.allowed, second.allowed, third.allowed) == (True, True, False)
    while not (await throttles.take([demand]))[0].allowed:  # noqa: ASYNC110 - pytest's timeout is the deadline
        await asyncio.sleep(0.02)
