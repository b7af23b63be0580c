"""What waits in the queues, since when, what runs, and which workers there are: for `chat queues`."""

from __future__ import annotations

import time
from collections import Counter
from typing import Final

import msgspec
from celery import Celery
from redis import Redis

from app.tasks.application import KINDS, SENT_AT

SECONDS: Final = 2.0
UNACKED: Final = "unacked"
"""Where kombu's Redis transport keeps what workers have taken and not finished."""


class QueueState(msgspec.Struct, frozen=True):
    """`oldest` is the age in seconds of what waits longest; None when nothing does, or nobody noted when it came."""

    name: str
    waiting: int
    oldest: float | None
    running: int


def states(redis_url: str) -> list[QueueState]:
    """Ask the broker. Raises redis.RedisError when it is away."""
    with Redis.from_url(redis_url, socket_timeout=SECONDS, socket_connect_timeout=SECONDS) as client:
        running = Counter(_queue_of(entry) for entry in client.hvals(UNACKED))
        return [QueueState(kind, client.llen(kind), _age(client.lindex(kind, -1)), running[kind]) for kind in KINDS]


def workers(celery: Celery) -> list[str]:
    """The names of those that answer within two seconds."""
    return sorted(celery.control.inspect(timeout=SECONDS).ping() or {})


def table(queues: list[QueueState], names: list[str]) -> str:
    """For people."""
    lines = [f"{'queue':<14} {'waiting':>8} {'oldest':>9} {'running':>8}"]
    for queue in queues:
        oldest = "–" if queue.oldest is None else f"{queue.oldest:,.0f} s"
        lines.append(f"{queue.name:<14} {queue.waiting:>8,} {oldest:>9} {queue.running:>8,}")
    return "\n".join([*lines, "", f"workers: {', '.join(names) or 'none answered: is `chat worker` running?'}"])


def _age(message: bytes | None) -> float | None:
    if message is None:
        return None
    sent_at = msgspec.json.decode(message).get("headers", {}).get(SENT_AT)
    return max(0.0, time.time() - sent_at) if isinstance(sent_at, float | int) else None


def _queue_of(entry: bytes) -> str:
    # [message, exchange, routing key], and the routing key is the queue's name.
    return str(msgspec.json.decode(entry)[2])
