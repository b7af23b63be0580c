"""The script and a simple model agree on decisions, waits and counts for any order of operations."""

from __future__ import annotations

from math import ceil
from random import Random

import pytest
import redis

from app.domain.orm import uuid7
from app.domain.rates import Rate
from app.throttling.limiter import RateDecision, RateRequest
from tests.support.throttling.fixtures import Clock, Make
from tests.support.throttling.model import RING, Model
from tests.support.throttling.oracle import MICROSECONDS

RATES = {"messages": Rate(8, 60), "user": Rate(20, 600)}
KINDS = (("messages", "user"), ("messages", "user"), ("user",), ("messages",))
BUCKET = 60 * MICROSECONDS // 120
BUCKETS = (0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 10, 40, RING - 1, RING - 1, RING, 10 * RING)
"""Steps of the clock, in buckets of the shorter window: of the longer one they are a tenth."""

BACK = (1, 5, RING - 1, RING, 2_000)
STEPS = 300


class Models:
    """The counters of some subjects; a demand takes from all of its policies or from none."""

    def __init__(self) -> None:
        self._counters: dict[tuple[str, str], Model] = {}

    def counter(self, policy: str, subject: str) -> Model:
        return self._counters.setdefault((policy, subject), Model(RATES[policy]))

    def take(self, demand: RateRequest, now: int) -> tuple[str | None, int, tuple[int, ...]]:
        """The policy that refuses and the seconds to wait, or the buckets."""
        counters = [self.counter(policy, demand.subject) for policy in demand.policies]
        for one in counters:
            one.turn(now)
        waits = [one.wait(now, demand.cost) for one in counters]
        if any(waits):
            return demand.policies[waits.index(max(waits))], ceil(max(waits) / MICROSECONDS), ()
        return None, 0, tuple(one.take(demand.cost) for one in counters)

    def give_back(self, verdict: RateDecision) -> None:
        for policy, bucket in zip(verdict.request.policies, verdict.buckets, strict=bool(verdict.buckets)):
            self.counter(policy, verdict.request.subject).give_back(bucket, verdict.request.cost)


def totals_are_true(client: redis.Redis, subjects: list[str]) -> bool:
    """Whether each counter's total is what its buckets hold: no refusal and no turn may leave it otherwise."""
    for subject in subjects:
        for policy, rate in RATES.items():
            fields = client.hgetall(f"throttle:{{{subject}}}:{policy}:{rate.window}")
            counts = [int(count) for field, count in fields.items() if field.isdigit()]
            if sum(counts) != int(fields.get(b"t", 0)) or min(counts, default=0) < 0:
                return False
    return True


@pytest.mark.parametrize("seed", range(8))
async def test_the_script_agrees_with_the_model_for_random_operations(
    make: Make, clock: Clock, redis_url: str, seed: int
) -> None:
    random, throttles, models = Random(seed), make(**RATES), Models()
    subjects, taken = [str(uuid7()) for _ in range(2)], list[RateDecision]()
    client = redis.Redis.from_url(redis_url, socket_timeout=5)
    for _ in range(STEPS):
        back = random.random() < 0.04
        clock.advance((-random.choice(BACK) if back else random.choice(BUCKETS)) * BUCKET + random.randrange(BUCKET))
        demands = [
            RateRequest(random.choice(KINDS), random.choice(subjects), random.choice((1, 1, 1, 2, 3, 9)))
            for _ in range(random.randint(1, 4))
        ]
        verdicts = await throttles.take(demands)
        received = [(one.policy, one.retry_after, one.buckets) for one in verdicts]
        assert received == [models.take(demand, clock.now) for demand in demands]
        taken += verdicts
        if random.random() < 0.3:
            undone = random.sample(taken[-12:], min(2, len(taken)))
            await throttles.give_back(undone)
            for one in undone:
                models.give_back(one)
        assert totals_are_true(client, subjects)
    client.close()
