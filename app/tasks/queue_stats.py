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
from app.domain.operators.backlog import Backlog
from app.tasks import task_stats
from app.tasks.celery_app import KINDS, SENT_AT

BROKER_TIMEOUT_SECONDS: Final = 2.0
RATE_MINUTES: Final = 5
BEAT_SECONDS: Final = 30.0
"""Six times the shortest period: an older sign means that beat is not running."""

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
    """Reads the statistics from the broker. Raises redis.RedisError if it does not answer or accepts no writes: without
    the signs of workers and beat the statistics would be wrong."""
    with Redis.from_url(
        redis_url, socket_timeout=BROKER_TIMEOUT_SECONDS, socket_connect_timeout=BROKER_TIMEOUT_SECONDS
    ) as client:
        task_stats.verify_writes(client)
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
        return QueueStats(
            report,
            dict(tally.totals),
            task_stats.rebuilds(client),
            mails=task_stats.mails(client),
            beat=task_stats.beat_age(client),
            mail_failure=task_stats.mail_failure(client),
            recent_mails=task_stats.mails_within_the_hour(tally),
        )


def is_healthy(stats: QueueStats, backlog: Backlog | None) -> bool:
    """Whether a worker and beat are alive, and Postgres answers (`backlog`)."""
    return bool(stats.report.workers) and _beats(stats) and backlog is not None


def table(stats: QueueStats, backlog: Backlog | None) -> str:
    """Formats the statistics as text. `backlog` is None if Postgres does not answer."""
    report = stats.report
    headings = ("queue", "waiting", "oldest", "running", "a minute", "retried", "failed")
    lines = ["{:<14} {:>8} {:>9} {:>8} {:>9} {:>8} {:>7}".format(*headings)]
    for queue in report.queues:
        oldest = "–" if queue.oldest is None else f"{queue.oldest:,.0f} s"
        lines.append(
            f"{queue.name:<14} {queue.waiting:>8,} {oldest:>9} {queue.running:>8,}"
            f" {queue.per_minute:>9,.1f} {queue.retried:>8,} {queue.failed:>7,}"
        )
    workers = ", ".join(report.workers) or "none seen in the last 15 s; is `chat worker` running?"
    signs = [f"workers: {workers}", f"beat: {_beat(stats)}", *_backlog(stats, backlog)]
    return "\n".join([*lines, "", *signs, "retried and failed: in the last hour"])


def _beats(stats: QueueStats) -> bool:
    return stats.beat is not None and stats.beat <= BEAT_SECONDS


def _beat(stats: QueueStats) -> str:
    seen = "no sign yet" if stats.beat is None else f"seen {stats.beat:,.0f} s ago"
    return seen if _beats(stats) else f"{seen}; is `chat beat` running?"


def _backlog(stats: QueueStats, backlog: Backlog | None) -> list[str]:
    failure = stats.mail_failure
    why = f"; the mail server failed {time.time() - failure.at:,.0f} s ago: {failure.why}" if failure else ""
    why += f"; the mail server {stats.mails_refused}; see `chat mails --state refused`" if stats.mails_refused else ""
    if backlog is None:
        return [f"mails: unknown{why}", "database: does not answer"]
    oldest = "" if backlog.oldest is None else f", the oldest for {backlog.oldest:,.0f} s"
    postponed = f", {backlog.mails_postponed:,} of them postponed" if backlog.mails_postponed else ""
    lines = [f"mails: {backlog.mails_waiting:,} waiting{oldest}{postponed}{why}"]
    if backlog.failed_tasks:
        lines.append(f"failed tasks: {backlog.failed_tasks:,}; see `chat tasks failed`")
    return lines


def _age(message: bytes | None) -> float | None:
    if message is None:
        return None
    sent_at = msgspec.json.decode(message).get("headers", {}).get(SENT_AT)
    return max(0.0, time.time() - sent_at) if isinstance(sent_at, float | int) else None


def _queue_of(entry: bytes) -> str:
    # An entry is [message, exchange, routing key]; the routing key is the queue's name.
    return str(msgspec.json.decode(entry)[2])
