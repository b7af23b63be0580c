"""Queue metrics for Prometheus, read from the broker on a scrape, at most every five seconds.

If the broker is unavailable, `chat_broker_up` is 0 and all other metrics are missing: stale values would look current.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from app.domain.errors import Unavailable
from app.domain.jobs.schemas import QueueStats

FRESH_SECONDS: Final = 5.0


class QueueMetrics(Collector):
    """`read_stats` reads the statistics from the broker and raises Unavailable if it does not respond."""

    def __init__(self, read_stats: Callable[[], Awaitable[QueueStats]]) -> None:
        self._read_stats = read_stats
        self._stats: QueueStats | None = None
        self._read_at = -FRESH_SECONDS
        self._registry = CollectorRegistry()
        self._registry.register(self)

    async def text(self) -> bytes:
        """Returns all metrics in the Prometheus text format."""
        if time.monotonic() - self._read_at >= FRESH_SECONDS:
            self._read_at = time.monotonic()
            try:
                self._stats = await self._read_stats()
            except Unavailable:
                self._stats = None
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        stats = self._stats
        yield GaugeMetricFamily("chat_broker_up", "Whether the broker of the queues answers.", int(stats is not None))
        if stats is None:
            return
        waiting = GaugeMetricFamily("chat_queue_waiting", "Tasks that wait.", labels=["queue"])
        oldest = GaugeMetricFamily("chat_queue_oldest_seconds", "Age of what waits longest.", labels=["queue"])
        running = GaugeMetricFamily("chat_queue_running", "Tasks that workers have taken.", labels=["queue"])
        for queue in stats.report.queues:
            waiting.add_metric([queue.name], queue.waiting)
            oldest.add_metric([queue.name], queue.oldest or 0.0)
            running.add_metric([queue.name], queue.running)
        tasks = CounterMetricFamily("chat_tasks", "Tasks by what became of them.", labels=["queue", "outcome"])
        for (queue_name, outcome), number in sorted(stats.totals.items()):
            tasks.add_metric([queue_name, outcome], number)
        yield from (waiting, oldest, running, tasks)
        yield GaugeMetricFamily("chat_workers", "Workers seen in the last 15 s.", len(stats.report.workers))
        rebuilds = CounterMetricFamily("chat_cache_upkeep", "Caches rebuilt by sweeps, by reason.", labels=["why"])
        for reason, number in sorted(stats.upkeep.items()):
            rebuilds.add_metric([reason], number)
        yield rebuilds
