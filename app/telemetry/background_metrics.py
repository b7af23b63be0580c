"""Metrics of background work, which no API process counts itself: read on a scrape, at most every five seconds.

Queues, workers, beat and mail counts come from the broker, the backlog from Postgres. If one of them does not answer,
its `up` metric is 0 and its other metrics are missing: stale values would look current.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Final, Generic, TypeVar

import structlog
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from app.domain.errors import ChatError
from app.domain.jobs.schemas import QueueStats
from app.domain.operators.backlog import Backlog

T = TypeVar("T")

FRESH_SECONDS: Final = 5.0
READ_SECONDS: Final = 2.0
"""Far below Prometheus' own timeout of 10 s. A read that takes longer is not cancelled, and the next scrape waits for
it again: the driver needs seconds to give up on a silent server."""

log = structlog.get_logger(__name__)


class SlowRead(Generic[T]):
    """Runs one read at a time; `latest` waits for it at most READ_SECONDS."""

    def __init__(self, read: Callable[[], Awaitable[T]]) -> None:
        self._read = read
        self._task: asyncio.Future[T] | None = None

    async def latest(self) -> T | None:
        """Returns the result, or None if the server is unavailable or does not answer in time."""
        task = self._task = self._task or asyncio.ensure_future(self._read())
        done, _ = await asyncio.wait({task}, timeout=READ_SECONDS)
        if not done:
            return None
        self._task = None
        if task.cancelled():
            return None
        if (error := task.exception()) is None:
            return task.result()
        if not isinstance(error, ChatError):
            log.error("metrics_not_read", exc_info=error)
        return None

    def cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()


class BackgroundMetrics(Collector):
    """`read_stats` reads the broker and `read_backlog` Postgres; both raise Unavailable. Call `refresh` before
    `collect`."""

    def __init__(
        self, read_stats: Callable[[], Awaitable[QueueStats]], read_backlog: Callable[[], Awaitable[Backlog]]
    ) -> None:
        self._read_stats, self._read_backlog = SlowRead(read_stats), SlowRead(read_backlog)
        self._stats: QueueStats | None = None
        self._backlog: Backlog | None = None
        self._read_at = -FRESH_SECONDS
        self._refreshing = asyncio.Lock()

    @property
    def stats(self) -> QueueStats | None:
        """What the broker said at the last `refresh`, None if it did not answer."""
        return self._stats

    @property
    def backlog(self) -> Backlog | None:
        """What Postgres said at the last `refresh`, None if it did not answer."""
        return self._backlog

    async def refresh(self) -> None:
        """Reads again what is older than FRESH_SECONDS. Waits for a reading that another caller began."""
        async with self._refreshing:
            if time.monotonic() - self._read_at >= FRESH_SECONDS:
                self._stats, self._backlog = await asyncio.gather(
                    self._read_stats.latest(), self._read_backlog.latest()
                )
                self._read_at = time.monotonic()

    def stop(self) -> None:
        """Cancels the reads in progress."""
        self._read_stats.cancel()
        self._read_backlog.cancel()

    def collect(self) -> Iterator[Metric]:
        stats, backlog = self._stats, self._backlog
        yield _gauge("chat_broker_up", "Whether the broker of the queues accepts writes.", int(stats is not None))
        yield _gauge("chat_database_up", "Whether Postgres answers and accepts writes.", int(backlog is not None))
        if stats is not None:
            yield from _queues(stats)
            yield from _signs(stats)
        if backlog is not None:
            yield _gauge("chat_mails_waiting", "Mails that are not sent yet.", backlog.mails_waiting)
            yield _gauge("chat_mails_postponed", "Mails to be sent again after an error.", backlog.mails_postponed)
            yield _gauge("chat_mails_oldest_seconds", "Age of the oldest mail that waits.", backlog.oldest or 0.0)
            yield _gauge("chat_failed_tasks", "Tasks listed by `chat tasks failed`.", backlog.failed_tasks)


def _queues(stats: QueueStats) -> Iterator[Metric]:
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


def _signs(stats: QueueStats) -> Iterator[Metric]:
    yield _gauge("chat_workers", "Workers seen in the last 15 s.", len(stats.report.workers))
    beat = GaugeMetricFamily("chat_beat_last_seconds", "Seconds since beat's last sign; missing if it is unknown.")
    if stats.beat is not None:
        beat.add_metric([], stats.beat)
    yield beat
    yield _counter("chat_cache_upkeep", "Caches rebuilt by sweeps, by reason.", "why", stats.upkeep)
    yield _counter("chat_mails", "Attempts to send a mail, by outcome.", "outcome", stats.mails)
    failing = int(stats.mail_failure is not None)
    yield _gauge("chat_mail_server_failing", "Whether the mail server's last answer was an error.", failing)


def _gauge(name: str, description: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, description, value)


def _counter(name: str, description: str, label: str, numbers: dict[str, int]) -> CounterMetricFamily:
    family = CounterMetricFamily(name, description, labels=[label])
    for value, number in sorted(numbers.items()):
        family.add_metric([value], number)
    return family
