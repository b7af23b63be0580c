"""What background processes report to the broker: task counts by queue, outcome and minute, mail counts, the live
workers, and beat's last sign.

A count that Redis does not accept is lost, and no task waits for it longer than a second. All keys expire.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from contextlib import suppress
from functools import cache
from typing import Any, Final, Literal

import msgspec
from celery import Celery, signals
from redis import Redis, RedisError

from app.domain.jobs.schemas import MailFailure

Outcome = Literal["done", "retried", "failed", "refused"]

REDIS_TIMEOUT_SECONDS: Final = 1.0
MINUTE: Final = 60
KEPT_MINUTES: Final = 60
KEPT_TOTALS: Final = 30 * 24 * 3600
ALIVE_SECONDS: Final = 15
HEARTBEAT_SECONDS: Final = 5.0
ALERT: Final = "chat.upkeep.alert"
TOTALS: Final = "chat:work:totals"
REBUILDS: Final = "chat:work:upkeep"
WORKERS: Final = "chat:work:workers"
BEAT: Final = "chat:work:beat"
MAILS: Final = "chat:work:mails"
MAIL_FAILURE: Final = "chat:work:mail_failure"
PROBE: Final = "chat:work:probe"
MAIL: Final = "mail"
"""What the counts of minutes name in place of a queue for mails."""

MAX_REASON_LENGTH: Final = 200
_ADDRESS: Final = re.compile(r"(?<![^\s@])[^\s@]++@\S++")

_last_heartbeat = {"at": 0.0}


class TaskTally:
    """`recent[minutes ago]` and `totals` count by (queue, outcome)."""

    def __init__(self, recent: list[Counter[tuple[str, str]]], totals: Counter[tuple[str, str]]) -> None:
        self.recent = recent
        self.totals = totals

    def count_within(self, queue: str, outcome: Outcome, minutes: int) -> int:
        """Returns the count of the last `minutes`, including the current one."""
        return sum(minute[queue, outcome] for minute in self.recent[:minutes])


def verify_writes(client: Redis) -> None:
    """Raises redis.RedisError if Redis does not answer or accepts no writes: it is full, read-only, or cannot save.
    Workers and beat could then leave no sign of life, although they run."""
    client.set(PROBE, 1, ex=MINUTE)


def read(client: Redis) -> TaskTally:
    """Reads all counts. Raises redis.RedisError."""
    now = int(time.time()) // MINUTE
    with client.pipeline(transaction=False) as pipeline:
        for minutes_ago in range(KEPT_MINUTES):
            pipeline.hgetall(_key(now - minutes_ago))
        pipeline.hgetall(TOTALS)
        *recent, totals = [_counter(reply) for reply in pipeline.execute()]
    return TaskTally(recent, totals)


def workers(client: Redis) -> list[str]:
    """Returns the names of workers with a heartbeat in the last 15 s. Raises redis.RedisError."""
    reply: Any = client.zrangebyscore(WORKERS, time.time() - ALIVE_SECONDS, "+inf")
    return sorted(name.decode() for name in reply)


def count(celery: Celery, queue: str, outcome: Outcome, number: int = 1) -> None:
    """Adds to the counts. Never raises: a count that Redis does not accept is lost."""
    minute = _key(int(time.time()) // MINUTE)
    with suppress(RedisError), _client(celery.conf.broker_url).pipeline(transaction=False) as pipeline:
        for key, seconds in ((minute, KEPT_MINUTES * MINUTE * 2), (TOTALS, KEPT_TOTALS)):
            pipeline.hincrby(key, f"{queue}:{outcome}", number)
            pipeline.expire(key, seconds)
        pipeline.execute()


def rebuilds(client: Redis) -> dict[str, int]:
    """Returns the number of caches rebuilt, by reason. Raises redis.RedisError."""
    return _numbers(client, REBUILDS)


def count_rebuilds(celery: Celery, reason: str, number: int) -> None:
    """Adds to the counts. Never raises: a count that Redis does not accept is lost."""
    _add(celery, REBUILDS, reason, number)


def mails(client: Redis) -> dict[str, int]:
    """Returns the number of mails by outcome, attempts that were `postponed` included. Raises redis.RedisError."""
    return _numbers(client, MAILS)


def count_mail(celery: Celery, outcome: str, why: str | None = None) -> None:
    """Counts an attempt to send a mail. `why` is the error after which it is sent later; the next mail that the server
    decides on clears it. Never raises."""
    _add(celery, MAILS, outcome, 1)
    _add(celery, _key(int(time.time()) // MINUTE), f"{MAIL}:{outcome}", 1, seconds=KEPT_MINUTES * MINUTE * 2)
    with suppress(RedisError):
        if why is not None:
            # A server's reply may quote the recipient.
            failure = MailFailure(time.time(), _ADDRESS.sub("…", why)[:MAX_REASON_LENGTH])
            _client(celery.conf.broker_url).set(MAIL_FAILURE, msgspec.json.encode(failure), ex=KEPT_TOTALS)
        elif outcome in ("sent", "refused"):
            _client(celery.conf.broker_url).delete(MAIL_FAILURE)


def mails_within_the_hour(tally: TaskTally) -> dict[str, int]:
    """Returns the number of mails of the last hour by outcome."""
    counted: Counter[str] = Counter()
    for minute in tally.recent:
        counted.update({outcome: number for (name, outcome), number in minute.items() if name == MAIL})
    return dict(counted)


def mail_failure(client: Redis) -> MailFailure | None:
    """Returns the mail server's last error, unless it has decided on a mail since. Raises redis.RedisError."""
    found: Any = client.get(MAIL_FAILURE)
    return None if found is None else msgspec.json.decode(found, type=MailFailure)


def beat_age(client: Redis) -> float | None:
    """Returns the seconds since beat's last sign, None if there is none. Raises redis.RedisError."""
    found: Any = client.get(BEAT)
    return None if found is None else max(0.0, time.time() - float(found))


def note_beat(celery: Celery) -> None:
    """Records a sign of beat. Never raises."""
    with suppress(RedisError):
        _client(celery.conf.broker_url).set(BEAT, time.time(), ex=KEPT_TOTALS)


def alert(celery: Celery, task: str, *, delay: int = 0) -> None:
    """Enqueues an alert that `task` fails, at most one per task and minute across all workers, to be sent after `delay`
    seconds. Never raises."""
    if task == ALERT:
        return  # an alert about a failed alert would repeat forever
    with suppress(Exception):
        client = _client(celery.conf.broker_url)
        if client.set(f"chat:work:alert:{task}", 1, nx=True, ex=MINUTE):
            celery.tasks[ALERT].apply_async((task,), countdown=delay or None, expires=MINUTE + delay, retry=False)


def queue_of(task: str) -> str:
    """Returns the queue of a task named `chat.<queue>.<verb>`, else `unknown`."""
    return task.split(".")[1] if task.count(".") == 2 else "unknown"


@signals.task_success.connect(weak=False, dispatch_uid="chat.counts.done")
def _done(sender: Any = None, **_: object) -> None:
    count(sender.app, queue_of(sender.name), "done")


@signals.task_retry.connect(weak=False, dispatch_uid="chat.counts.retried")
def _retried(sender: Any = None, **_: object) -> None:
    count(sender.app, queue_of(sender.name), "retried")


@signals.task_failure.connect(weak=False, dispatch_uid="chat.counts.failed")
def _failed(sender: Any = None, **_: object) -> None:
    count(sender.app, queue_of(sender.name), "failed")


@signals.task_rejected.connect(weak=False, dispatch_uid="chat.counts.rejected")
@signals.task_unknown.connect(weak=False, dispatch_uid="chat.counts.unknown")
def _refused(sender: Any = None, message: Any = None, **_: object) -> None:
    """Counts a message that is not a registered task: unknown name, wrong encoding or invalid content."""
    count(sender.app, (message.delivery_info or {}).get("routing_key") or "unknown", "refused")


@signals.heartbeat_sent.connect(weak=False, dispatch_uid="chat.counts.workers")
def _record_heartbeat(sender: Any = None, **_: object) -> None:
    """Records the heartbeat of the worker's main process."""
    if time.monotonic() - _last_heartbeat["at"] < HEARTBEAT_SECONDS:
        return
    _last_heartbeat["at"] = time.monotonic()
    celery, name = sender.eventer.app, sender.eventer.hostname
    with suppress(RedisError), _client(celery.conf.broker_url).pipeline(transaction=False) as pipeline:
        pipeline.zadd(WORKERS, {name: time.time()})
        pipeline.zremrangebyscore(WORKERS, "-inf", time.time() - 4 * ALIVE_SECONDS)
        pipeline.expire(WORKERS, 4 * ALIVE_SECONDS)
        pipeline.execute()


@signals.worker_shutdown.connect(weak=False, dispatch_uid="chat.counts.gone")
def _remove_worker(sender: Any = None, **_: object) -> None:
    with suppress(RedisError):
        _client(sender.app.conf.broker_url).zrem(WORKERS, sender.hostname)


def _numbers(client: Redis, key: str) -> dict[str, int]:
    reply: Any = client.hgetall(key)
    return {field.decode(): int(number) for field, number in reply.items()}


def _add(celery: Celery, key: str, field: str, number: int, *, seconds: int = KEPT_TOTALS) -> None:
    with suppress(RedisError), _client(celery.conf.broker_url).pipeline(transaction=False) as pipeline:
        pipeline.hincrby(key, field, number)
        pipeline.expire(key, seconds)
        pipeline.execute()


@cache
def _client(url: str) -> Redis:
    # The pool detects a fork and opens new connections.
    return Redis.from_url(
        url, socket_timeout=REDIS_TIMEOUT_SECONDS, socket_connect_timeout=REDIS_TIMEOUT_SECONDS, max_connections=2
    )


def _key(minute: int) -> str:
    return f"chat:work:minute:{minute}"


def _counter(reply: dict[bytes, bytes]) -> Counter[tuple[str, str]]:
    counted: Counter[tuple[str, str]] = Counter()
    for field, number in reply.items():
        queue, _, outcome = field.decode().partition(":")
        counted[queue, outcome] += int(number)
    return counted
