"""Figures of the whole deployment: each API process leaves its own in Redis, and any of them, or `chat live`, adds up.

A process's figures expire after ALIVE_SECONDS, so those of a killed one do not stay. Nothing depends on clocks. Without
Redis a process reports its own figures, and says that they are not complete.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import reduce
from operator import add
from typing import Any, Final

import msgspec
from redis.asyncio import Redis

from app.domain.jobs.schemas import QueueStats
from app.domain.operators.backlog import Backlog
from app.domain.operators.live_figures import (
    CacheFigures,
    DeliveryFigures,
    LiveFigures,
    MailFigures,
    PostgresFigures,
    RedisFigures,
)
from app.redis.client import RedisClient, RedisUnavailable
from app.telemetry.background_metrics import BackgroundMetrics
from app.telemetry.process_figures import BUCKETS, SAMPLE_SECONDS, ProcessFigures, RecentFigures, quantile

ALIVE_SECONDS: Final = 15
INDEX: Final = "chat:live:processes"
_decode = msgspec.json.Decoder(ProcessFigures).decode


class LiveReports:
    """`recent` counts what this process does; None for a command, which only reads."""

    def __init__(self, redis: RedisClient, background: BackgroundMetrics, recent: RecentFigures | None = None) -> None:
        self._redis = redis
        self._background = background
        self._recent = recent
        self._name = secrets.token_hex(8)

    async def run(self) -> None:
        """Reports until cancelled; runs as a background task of an API process. Then removes the report."""
        assert self._recent is not None
        try:
            while True:
                self._recent.sample(time.monotonic())
                await self._tell(self._recent.figures(time.monotonic()))
                await asyncio.sleep(SAMPLE_SECONDS)
        finally:
            await self._withdraw()

    async def figures(self) -> LiveFigures:
        """Returns the figures of all processes, this one's as they are now. Never raises Unavailable."""
        own = [] if self._recent is None else [self._recent.figures(time.monotonic())]
        others, _ = await asyncio.gather(self._others(), self._background.refresh())
        found = own + (others or [])
        return summed(found, self._background.stats, self._background.backlog, complete=others is not None)

    async def _tell(self, figures: ProcessFigures) -> None:
        async def write(redis: Redis) -> None:
            async with redis.pipeline(transaction=False) as pipeline:
                pipeline.set(_key(self._name), msgspec.json.encode(figures), ex=ALIVE_SECONDS)
                pipeline.sadd(INDEX, self._name)
                pipeline.expire(INDEX, 4 * ALIVE_SECONDS)
                await pipeline.execute(raise_on_error=False)

        await self._attempt(write)

    async def _withdraw(self) -> None:
        async def remove(redis: Redis) -> None:
            async with redis.pipeline(transaction=False) as pipeline:
                pipeline.delete(_key(self._name))
                pipeline.srem(INDEX, self._name)
                await pipeline.execute(raise_on_error=False)

        await self._attempt(remove)

    async def _attempt(self, operation: Any) -> None:
        try:
            await self._redis.call(operation)
        except RedisUnavailable:
            return  # said by the figures themselves: `complete` is false

    async def _others(self) -> list[ProcessFigures] | None:
        """Returns the figures of the other processes, None if Redis does not answer."""

        async def read(redis: Redis) -> list[bytes]:
            reply: Any = await redis.smembers(INDEX)
            names = sorted(name for name in (member.decode() for member in reply) if name != self._name)
            if not names:
                return []
            values = await redis.mget([_key(name) for name in names])
            if gone := [name for name, value in zip(names, values, strict=True) if value is None]:
                await redis.srem(INDEX, *gone)
            return [value for value in values if isinstance(value, bytes)]

        try:
            found = await self._redis.call(read)
        except RedisUnavailable:
            return None
        return [figures for figures in map(_readable, found) if figures is not None]


def summed(
    found: Sequence[ProcessFigures], stats: QueueStats | None, backlog: Backlog | None, *, complete: bool
) -> LiveFigures:
    """Adds up the figures of processes. `stats` and `backlog` are None if broker and Postgres do not answer."""
    total = reduce(add, found, ProcessFigures(delivery=[0] * BUCKETS))
    reads, hits = sum(total.pages.values()), total.pages.get("page", 0)
    return LiveFigures(
        at=datetime.now(UTC),
        complete=complete,
        processes=len(found),
        sockets=total.sockets,
        sends_per_second=round(total.sends_per_second, 2),
        frames_per_second=round(total.frames_per_second, 2),
        delivery=DeliveryFigures(
            measured=sum(total.delivery),
            p50=_milliseconds(total.delivery, 0.5),
            p99=_milliseconds(total.delivery, 0.99),
        ),
        repairs=total.repairs,
        throttled=total.throttled,
        cache=CacheFigures(reads=reads, hits=hits, share=round(hits / reads, 3) if reads else None),
        postgres=PostgresFigures(
            up=backlog is not None,
            connections=total.pool_size,
            in_use=total.pool_in_use,
            waiting=total.pool_waiting,
        ),
        redis=RedisFigures(up=complete, broker_up=stats is not None, failures=total.redis_failures),
        queues=None if stats is None else stats.report.queues,
        workers=None if stats is None else stats.report.workers,
        beat=None if stats is None else stats.beat,
        failed_tasks=None if backlog is None else backlog.failed_tasks,
        mails=None
        if backlog is None
        else MailFigures(
            waiting=backlog.mails_waiting,
            postponed=backlog.mails_postponed,
            oldest=backlog.oldest,
            failing=None if stats is None else stats.mail_failure is not None,
        ),
    )


def _milliseconds(counts: list[int], share: float) -> float | None:
    seconds = quantile(counts, share)
    return None if seconds is None else round(seconds * 1000, 1)


def _readable(data: bytes) -> ProcessFigures | None:
    """Returns None for what another release wrote, as during an upgrade."""
    try:
        figures = _decode(data)
    except msgspec.MsgspecError:
        return None
    return figures if len(figures.delivery) == BUCKETS else None


def _key(name: str) -> str:
    return f"chat:live:process:{name}"
