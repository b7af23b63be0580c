"""What this process did in the last seconds, from its own counters.

Each process counts its own recent period, and figures of several processes are simply added up. Differences of sums
would be wrong whenever a process ends or starts between two readings.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from typing import Final

import msgspec
from prometheus_client.metrics import MetricWrapperBase

from app.db import Database
from app.realtime.connection.socket_metrics import DELIVERY, DELIVERY_BUCKETS, FRAMES, OPEN, tally
from app.realtime.hub.gap_repair import REPAIRS
from app.redis.client import FAILED
from app.store.message_writer import ACCEPTED
from app.store.page_reader import LOOKUPS
from app.throttling.limiter import REFUSALS

SAMPLE_SECONDS: Final = 5.0
RATE_SECONDS: Final = 10.0
"""A rate is of the last ten seconds, or up to one sample more."""

WINDOW_SECONDS: Final = 60.0


class ProcessFigures(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of one process, or of several added up. `delivery` counts by bucket of DELIVERY_BUCKETS, and beyond.

    `repairs`, `pages` (reads from the cache, by result), `throttled`, `redis_failures` and `delivery` are of the last
    minute.
    """

    sockets: int = 0
    sends_per_second: float = 0.0
    frames_per_second: float = 0.0
    delivery: list[int] = []
    repairs: dict[str, int] = {}
    pages: dict[str, int] = {}
    throttled: int = 0
    redis_failures: int = 0
    pool_size: int = 0
    pool_in_use: int = 0
    pool_waiting: int = 0

    def __add__(self, other: ProcessFigures) -> ProcessFigures:
        pairs = zip(self.delivery or [0] * BUCKETS, other.delivery or [0] * BUCKETS, strict=True)
        return ProcessFigures(
            sockets=self.sockets + other.sockets,
            sends_per_second=self.sends_per_second + other.sends_per_second,
            frames_per_second=self.frames_per_second + other.frames_per_second,
            delivery=[one + another for one, another in pairs],
            repairs=dict(Counter(self.repairs) + Counter(other.repairs)),
            pages=dict(Counter(self.pages) + Counter(other.pages)),
            throttled=self.throttled + other.throttled,
            redis_failures=self.redis_failures + other.redis_failures,
            pool_size=self.pool_size + other.pool_size,
            pool_in_use=self.pool_in_use + other.pool_in_use,
            pool_waiting=self.pool_waiting + other.pool_waiting,
        )


BUCKETS: Final = len(DELIVERY_BUCKETS) + 1


class _Totals(msgspec.Struct, frozen=True):
    """Counts since the start of the process."""

    sends: float
    frames: float
    delivery: list[float]
    repairs: dict[str, float]
    pages: dict[str, float]
    throttled: float
    redis_failures: float


class RecentFigures:
    """Keeps samples of the last minute. `pools` are the process's database pools."""

    def __init__(self, pools: Mapping[str, Database]) -> None:
        self._pools = pools
        self._samples: deque[tuple[float, _Totals]] = deque()

    def sample(self, now: float) -> None:
        """Takes a sample; `now` is of the monotonic clock."""
        self._samples.append((now, _totals()))
        while len(self._samples) > 1 and self._samples[1][0] <= now - WINDOW_SECONDS:
            self._samples.popleft()

    def figures(self, now: float) -> ProcessFigures:
        """Returns the figures since the periods' first samples; before any sample, only the present state."""
        totals = _totals()
        began, before = self._samples[0] if self._samples else (now, totals)
        recent = [sample for sample in self._samples if sample[0] <= now - RATE_SECONDS]
        rated, at_rate = recent[-1] if recent else (began, before)
        seconds = max(now - rated, 1.0)
        usage = [database.pool_usage() for database in self._pools.values()]
        return ProcessFigures(
            sockets=int(_values(OPEN)[()]),
            sends_per_second=(totals.sends - at_rate.sends) / seconds,
            frames_per_second=(totals.frames - at_rate.frames) / seconds,
            delivery=[int(one - other) for one, other in zip(totals.delivery, before.delivery, strict=True)],
            repairs=_since(totals.repairs, before.repairs),
            pages=_since(totals.pages, before.pages),
            throttled=int(totals.throttled - before.throttled),
            redis_failures=int(totals.redis_failures - before.redis_failures),
            pool_size=sum(pool.size for pool in usage),
            pool_in_use=sum(pool.in_use for pool in usage),
            pool_waiting=sum(pool.waiting for pool in usage),
        )


def quantile(counts: list[int], share: float) -> float | None:
    """Returns the seconds below which `share` of the observations lie, interpolated within a bucket as Prometheus does;
    None without any. The largest bound stands for everything beyond it."""
    wanted, below, low = sum(counts) * share, 0, 0.0
    if not wanted:
        return None
    for high, count in zip(DELIVERY_BUCKETS, counts, strict=False):
        if count and below + count >= wanted:
            return low + (high - low) * (wanted - below) / count
        below, low = below + count, high
    return DELIVERY_BUCKETS[-1]


def _totals() -> _Totals:
    tally.flush()
    cumulative = [sample.value for sample in next(iter(DELIVERY.collect())).samples if sample.name.endswith("_bucket")]
    return _Totals(
        sends=_values(ACCEPTED)[()],
        frames=_values(FRAMES)[()],
        delivery=[one - before for before, one in zip([0.0, *cumulative], cumulative, strict=False)],
        repairs=_by_label(REPAIRS),
        pages=_by_label(LOOKUPS),
        throttled=sum(_values(REFUSALS).values()),
        redis_failures=_values(FAILED)[()],
    )


def _values(metric: MetricWrapperBase) -> dict[tuple[str, ...], float]:
    """Returns this process's values of a counter or gauge by its labels' values, also in the multiprocess mode."""
    samples = next(iter(metric.collect())).samples
    return {tuple(one.labels.values()): one.value for one in samples if not one.name.endswith("_created")}


def _by_label(metric: MetricWrapperBase) -> dict[str, float]:
    return {label: value for (label,), value in _values(metric).items()}


def _since(totals: dict[str, float], before: dict[str, float]) -> dict[str, int]:
    counted = {label: int(value - before.get(label, 0.0)) for label, value in totals.items()}
    return {label: number for label, number in counted.items() if number}
