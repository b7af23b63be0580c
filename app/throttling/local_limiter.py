"""Rate limits of one process while Redis is down: the same windows as `limiter.lua`, in bounded memory.

Each process allows its share of a limit, and no caller receives 500. Uses the monotonic clock; evicts the least
recently used counters first.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from math import ceil
from time import monotonic

from app.domain.rates import Rate

PARTS = 120
RING = PARTS + 2
MAX_COUNTERS = 20_000
"""A few megabytes."""


class SlidingWindow:
    """Counts of one subject under one policy, by bucket; `limiter.lua` explains the design."""

    __slots__ = ("_buckets", "_total", "width")

    def __init__(self, window: int) -> None:
        self.width = window / PARTS
        self._buckets: dict[int, int] = {}
        self._total = 0

    def total(self, now: float) -> int:
        """Returns the count in the window that ends at `now` (seconds)."""
        oldest = int(now / self.width) - RING + 1
        for bucket in list(self._buckets):  # in time order: stop at the first bucket still in the window
            if bucket >= oldest:
                break
            self._total -= self._buckets.pop(bucket)
        return self._total

    def add(self, now: float, cost: int) -> int:
        """Counts `cost` at `now`. Returns the bucket, for `remove`."""
        bucket = int(now / self.width)
        self._buckets[bucket] = self._buckets.get(bucket, 0) + cost
        self._total += cost
        return bucket

    def remove(self, bucket: int, cost: int) -> None:
        back = min(cost, self._buckets.get(bucket, 0))
        if back:
            self._buckets[bucket] -= back
            self._total -= back

    def wait(self, now: float, excess: int) -> float:
        """Returns the seconds until `excess` of the count leaves the window."""
        for bucket, count in self._buckets.items():
            excess -= count
            if excess <= 0:
                return (bucket + RING) * self.width - now
        return RING * self.width


class LocalLimiter:
    """The counters of this process, by key."""

    def __init__(
        self, processes: int = 1, *, max_counters: int = MAX_COUNTERS, clock: Callable[[], float] = monotonic
    ) -> None:
        self._processes = processes
        self._max_counters = max_counters
        self._clock = clock
        self._counters: OrderedDict[str, SlidingWindow] = OrderedDict()

    def take(self, keys: Sequence[str], rates: Sequence[Rate], cost: int) -> tuple[int, int, tuple[int, ...]]:
        """Takes from all keys or none. Returns (-1, 0, buckets) or (index of the refusing key, seconds to wait, ())."""
        now = self._clock()
        counters = [self._counter(key, rate.window) for key, rate in zip(keys, rates, strict=True)]
        refused, longest = -1, 0.0
        for index, (counter, rate) in enumerate(zip(counters, rates, strict=True)):
            excess = counter.total(now) + cost - self.share(rate)
            if excess > 0 and (needed := counter.wait(now, excess)) > longest:
                refused, longest = index, needed
        if refused >= 0:
            return refused, max(1, ceil(longest)), ()
        return -1, 0, tuple(counter.add(now, cost) for counter in counters)

    def give_back(self, keys: Sequence[str], buckets: Sequence[int], cost: int) -> None:
        for key, bucket in zip(keys, buckets, strict=True):
            if key in self._counters:
                self._counters[key].remove(bucket, cost)

    def share(self, rate: Rate) -> int:
        """Returns this process's share, at least 1. All shares stay within the limit unless that minimum exceeds it."""
        return max(1, rate.limit // self._processes)

    def _counter(self, key: str, window: int) -> SlidingWindow:
        counter = self._counters.get(key)
        if counter is None:
            counter = self._counters[key] = SlidingWindow(window)
            if len(self._counters) > self._max_counters:
                self._counters.popitem(last=False)
        else:
            self._counters.move_to_end(key)
        return counter
