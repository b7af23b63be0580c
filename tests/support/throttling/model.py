"""A counter of the throttles' script, said slowly: which bucket everything is in, and the clock, nothing else."""

from __future__ import annotations

from app.domain.rates import Rate
from tests.support.throttling.oracle import MICROSECONDS

PARTS = 120
RING = PARTS + 2


class Model:
    """One subject under one policy. Times in microseconds."""

    def __init__(self, rate: Rate) -> None:
        self.rate = rate
        self.width = -(-rate.window * MICROSECONDS // PARTS)
        self.buckets: dict[int, int] = {}
        self.head: int | None = None

    def turn(self, now: int) -> None:
        """Forget what has left the ring. With the clock set back time stands still, but not for more than a ring."""
        bucket = now // self.width
        if self.head is None or bucket > self.head or not self.total:
            self.head = bucket
        elif self.head - bucket >= RING:
            self.head, self.buckets = bucket, {bucket: self.total}
        self.buckets = {at: count for at, count in self.buckets.items() if at > self.head - RING}

    @property
    def total(self) -> int:
        return sum(self.buckets.values())

    def wait(self, now: int, cost: int) -> int:
        """Microseconds until `cost` fits; 0 when it does."""
        excess = self.total + cost - self.rate.limit
        if excess <= 0:
            return 0
        for bucket in sorted(self.buckets):
            excess -= self.buckets[bucket]
            if excess <= 0:
                return (bucket + RING) * self.width - now
        return RING * self.width

    def take(self, cost: int) -> int:
        assert self.head is not None
        self.buckets[self.head] = self.buckets.get(self.head, 0) + cost
        return self.head

    def give_back(self, bucket: int, cost: int) -> None:
        held = self.buckets.get(bucket, 0)
        self.buckets[bucket] = held - min(cost, held)
