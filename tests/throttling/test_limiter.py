"""Several policies, many subjects, one call; what is taken, given back, and kept apart."""

from __future__ import annotations

import asyncio

import pytest
import redis

from app.domain.orm import uuid7
from app.domain.rates import Rate
from app.redis.client import RedisClient
from app.throttling.limiter import RateDecision, RateLimiter, RateRequest
from tests.support.throttling.fixtures import Clock, Make
from tests.support.throttling.oracle import MICROSECONDS

BOTH = ("messages", "user")


def shown(verdicts: list[RateDecision]) -> list[str | None]:
    return [one.policy for one in verdicts]


async def test_a_refusal_by_one_policy_leaves_the_quota_of_the_other(make: Make, clock: Clock, subject: str) -> None:
    throttles = make(messages=Rate(2, 60), user=Rate(3, 86_400))
    demand = RateRequest(BOTH, subject)
    assert shown(await throttles.take([demand] * 6)) == [None, None] + ["messages"] * 4
    clock.advance(62 * MICROSECONDS)
    assert shown(await throttles.take([demand] * 3)) == [None, "user", "user"]
    # Nor the other way round: what `user` refused did not count as a message.
    assert shown(await throttles.take([RateRequest(("messages",), subject)] * 2)) == [None, "messages"]


async def test_a_refusal_reports_the_longest_wait(make: Make, clock: Clock, subject: str) -> None:
    throttles = make(messages=Rate(1, 60), user=Rate(1, 86_400))
    _, refused = await throttles.take([RateRequest(BOTH, subject)] * 2)
    assert refused.policy == "user"
    assert 86_400 <= refused.retry_after <= 86_400 * 61 / 60 + 1
    error = refused.error()
    assert (error.policy, error.limit, error.window) == ("user", 1, 86_400)


async def test_subjects_and_policies_are_counted_apart(make: Make) -> None:
    throttles = make(messages=Rate(1, 60), requests=Rate(1, 60))
    ada, eve = str(uuid7()), str(uuid7())
    demands = [RateRequest((policy,), who) for who in (ada, eve) for policy in ("messages", "requests")]
    assert shown(await throttles.take(demands)) == [None] * 4
    assert shown(await throttles.take(demands)) == ["messages", "requests"] * 2


async def test_a_returned_slot_can_be_taken_again(make: Make, clock: Clock, subject: str) -> None:
    throttles = make(messages=Rate(2, 60), user=Rate(10, 86_400))
    verdicts = await throttles.take([RateRequest(BOTH, subject)] * 3)
    await throttles.give_back(verdicts)
    assert shown(await throttles.take([RateRequest(BOTH, subject)] * 3)) == [None, None, "messages"]


async def test_a_late_return_takes_nothing_from_other_subjects(make: Make, clock: Clock, subject: str) -> None:
    throttles = make(policy=Rate(2, 60))
    [old] = await throttles.take([RateRequest(("policy",), subject)])
    clock.advance(70 * MICROSECONDS)
    await throttles.take([RateRequest(("policy",), subject)] * 2)
    await throttles.give_back([old])
    assert shown(await throttles.take([RateRequest(("policy",), subject)])) == ["policy"]


async def test_returning_twice_returns_at_most_what_was_taken(make: Make, clock: Clock, subject: str) -> None:
    throttles = make(policy=Rate(2, 60))
    [one] = await throttles.take([RateRequest(("policy",), subject)])
    await throttles.give_back([one])
    await throttles.give_back([one])
    assert shown(await throttles.take([RateRequest(("policy",), subject)] * 3)) == [None, None, "policy"]


async def test_a_limit_can_change_at_run_time(make: Make, subject: str) -> None:
    throttles = make(policy=Rate(1, 60))
    demand = RateRequest(("policy",), subject)
    assert shown(await throttles.take([demand] * 2)) == [None, "policy"]
    throttles.rates["policy"] = Rate(3, 60)
    assert shown(await throttles.take([demand] * 3)) == [None, None, "policy"]
    throttles.rates["policy"] = Rate(1, 60)
    assert shown(await throttles.take([demand])) == ["policy"]


async def test_a_request_for_more_than_the_limit_is_always_refused(make: Make, subject: str) -> None:
    [verdict] = await make(policy=Rate(3, 60)).take([RateRequest(("policy",), subject, cost=4)])
    assert verdict.policy == "policy"
    assert verdict.retry_after >= 60


async def test_concurrent_requests_share_calls(
    redis_client: RedisClient, subject: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    throttles, calls = RateLimiter(redis_client, {"policy": Rate(30, 60)}), 0
    call = redis_client.call

    async def counted(*given: object, **named: object) -> object:
        nonlocal calls
        calls += 1
        return await call(*given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(redis_client, "call", counted)
    verdicts = await asyncio.gather(*(throttles.take_one(RateRequest(("policy",), subject)) for _ in range(100)))
    assert sum(one.allowed for one in verdicts) == 30
    assert calls <= 10


async def test_every_key_expires_and_shares_its_subjects_slot(
    redis_client: RedisClient, empty_redis_url: str, subject: str
) -> None:
    throttles = RateLimiter(redis_client, {"messages": Rate(60, 60), "user": Rate(1_000, 86_400)})
    await throttles.take([RateRequest(BOTH, subject)] * 5)
    with redis.Redis.from_url(empty_redis_url) as client:
        left = {key.decode(): client.pttl(key) for key in client.keys("throttle:*")}
    counts = [left.pop(key) for key in list(left) if key.startswith("throttle:counts:")]
    assert all(3_500_000 < ttl <= 3_600_000 for ttl in counts)
    assert 1 <= len(counts) <= 2
    assert len(left) == 2
    assert all(f"{{{subject}}}" in key for key in left)
    assert sorted(ttl // 1_000_000 for ttl in left.values()) == [0, 109]
    assert all(ttl > 60_000 for ttl in left.values())


async def test_a_counter_outlives_its_window_after_its_expiry_was_shortened(
    make: Make, clock: Clock, redis_url: str, subject: str
) -> None:
    throttles, demand = make(policy=Rate(1_000, 60)), RateRequest(("policy",), subject)
    bucket, ring = 60 * MICROSECONDS // 120, 61_000
    await throttles.take([demand])
    with redis.Redis.from_url(redis_url) as client:
        for left in (ring - 1, 10_000, ring + 5_000, ring + 20_000):
            client.pexpire(f"throttle:{{{subject}}}:policy:60", left)
            clock.advance(bucket)
            await throttles.take([demand])
            # The server's clock runs on: by less than the 5 s that distinguish a renewal from none.
            assert client.pttl(f"throttle:{{{subject}}}:policy:60") > max(ring, left) - 5_000


async def test_the_script_is_loaded_again_after_redis_dropped_it(
    redis_client: RedisClient, redis_url: str, subject: str
) -> None:
    throttles = RateLimiter(redis_client, {"policy": Rate(2, 60)})
    await throttles.take([RateRequest(("policy",), subject)])
    with redis.Redis.from_url(redis_url) as client:
        client.script_flush()
    verdicts = await throttles.take([RateRequest(("policy",), subject)] * 2)
    assert shown(verdicts) == [None, "policy"]
    assert not any(one.local for one in verdicts)
