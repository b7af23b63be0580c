"""Queue statistics from the broker: waiting, oldest, running and completed tasks, and the live workers."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import Final

import msgspec
from redis import Redis, RedisError

from app.domain.error_catalogue import broker_unavailable
from app.domain.jobs.schemas import QueueReport, QueueState, QueueStats
from app.tasks import task_stats
from app.tasks.celery_app import KINDS, SENT_AT

BROKER_TIMEOUT_SECONDS: Final = 2.0
RATE_MINUTES: Final = 5
UNACKED: Final = "unacked"
"""The key where kombu's Redis transport keeps messages that workers have received and not acknowledged."""


class BrokerStats:
    """Async wrapper: reads the statistics in a thread."""

    def __init__(self, redis_url: str) -> None:
        self._url = redis_url

    async def report(self) -> QueueReport:
        """Returns the report. Raises Unavailable if the broker is unavailable."""
        return (await self.read_stats()).report

    async def read_stats(self) -> QueueStats:
        """Returns the report with totals for Prometheus. Raises Unavailable if the broker is unavailable."""
        try:
            return await asyncio.to_thread(read_stats, self._url)
        except RedisError as error:
            raise broker_unavailable() from error


def read_stats(redis_url: str) -> QueueStats:
    """Reads the statistics from the broker. Raises redis.RedisError if it is unavailable."""
    with Redis.from_url(
        redis_url, socket_timeout=BROKER_TIMEOUT_SECONDS, socket_connect_timeout=BROKER_TIMEOUT_SECONDS
    ) as client:
        running = Counter(_queue_of(entry) for entry in client.hvals(UNACKED))
        tally = task_stats.read(client)
        queues = [
            QueueState(
                name=kind,
                waiting=client.llen(kind),
                oldest=_age(client.lindex(kind, -1)),
                running=running[kind],
                per_minute=tally.count_within(kind, "done", RATE_MINUTES) / RATE_MINUTES,
                retried=tally.count_within(kind, "retried", task_stats.KEPT_MINUTES),
                failed=tally.count_within(kind, "failed", task_stats.KEPT_MINUTES)
                + tally.count_within(kind, "refused", task_stats.KEPT_MINUTES),
            )
            for kind in KINDS
        ]
        report = QueueReport(queues=queues, workers=task_stats.workers(client))
        return QueueStats(report, dict(tally.totals), task_stats.rebuilds(client))


def table(report: QueueReport) -> str:
    """Formats the report as a text table."""
    headings = ("queue", "waiting", "oldest", "running", "a minute", "retried", "failed")
    lines = ["{:<14} {:>8} {:>9} {:>8} {:>9} {:>8} {:>7}".format(*headings)]
    for queue in report.queues:
        oldest = "–" if queue.oldest is None else f"{queue.oldest:,.0f} s"
        lines.append(
            f"{queue.name:<14} {queue.waiting:>8,} {oldest:>9} {queue.running:>8,}"
            f" {queue.per_minute:>9,.1f} {queue.retried:>8,} {queue.failed:>7,}"
        )
    workers = ", ".join(report.workers) or "none seen in the last 15 s; is `chat worker` running?"
    return "\n".join([*lines, "", f"workers: {workers}", "retried and failed: in the last hour"])


def _age(message: bytes | None) -> float | None:
    if message is None:
        return None
    sent_at = msgspec.json.decode(message).get("headers", {}).get(SENT_AT)
    return max(0.0, time.time() - sent_at) if isinstance(sent_at, float | int) else None


def _queue_of(entry: bytes) -> str:
    # An entry is [message, exchange, routing key]; the routing key is the queue's name.
    return str(msgspec.json.decode(entry)[2])
