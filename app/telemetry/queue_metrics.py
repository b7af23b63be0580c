"""Queue metrics for Prometheus, read from the broker on a scrape, at most every five seconds.

If the broker is unavailable, `chat_broker_up` is 0 and all other metrics are missing: stale figures would look current.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from app.domain.errors import Unavailable
from app.domain.jobs.schemas import WorkFigures

FRESH_SECONDS: Final = 5.0


class QueueFigures(Collector):
    """`ask` reads the figures from the broker and raises Unavailable if it does not respond."""

    def __init__(self, ask: Callable[[], Awaitable[WorkFigures]]) -> None:
        self._ask = ask
        self._found: WorkFigures | None = None
        self._asked_at = -FRESH_SECONDS
        self._registry = CollectorRegistry()
        self._registry.register(self)

    async def text(self) -> bytes:
        """Returns all metrics in the Prometheus text format."""
        if time.monotonic() - self._asked_at >= FRESH_SECONDS:
            self._asked_at = time.monotonic()
            try:
                self._found = await self._ask()
            except Unavailable:
                self._found = None
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        found = self._found
        yield GaugeMetricFamily("chat_broker_up", "Whether the broker of the queues answers.", int(found is not None))
        if found is None:
            return
        waiting = GaugeMetricFamily("chat_queue_waiting", "Tasks that wait.", labels=["queue"])
        oldest = GaugeMetricFamily("chat_queue_oldest_seconds", "Age of what waits longest.", labels=["queue"])
        running = GaugeMetricFamily("chat_queue_running", "Tasks that workers have taken.", labels=["queue"])
        for queue in found.report.queues:
            waiting.add_metric([queue.name], queue.waiting)
            oldest.add_metric([queue.name], queue.oldest or 0.0)
            running.add_metric([queue.name], queue.running)
        tasks = CounterMetricFamily("chat_tasks", "Tasks by what became of them.", labels=["queue", "outcome"])
        for (queue_name, outcome), number in sorted(found.totals.items()):
            tasks.add_metric([queue_name, outcome], number)
        yield from (waiting, oldest, running, tasks)
        yield GaugeMetricFamily("chat_workers", "Workers seen in the last 15 s.", len(found.report.workers))
        kept = CounterMetricFamily("chat_cache_upkeep", "Caches rebuilt by sweeps, by reason.", labels=["why"])
        for why, number in sorted(found.upkeep.items()):
            kept.add_metric([why], number)
        yield kept
