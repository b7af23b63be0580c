"""The bus between processes, over Litestar's channels. No other module uses channels.

A process delivers its own events to its own hub at once, without Redis, and drops their echo. All processes subscribe
to one channel: a batch stays together and in order, and costs one publish and one echo. One pipeline carries the cache
writes and the publish, under the Redis client's deadline. Publishers never see its failures: processes that missed an
event read it from Postgres.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import structlog
from litestar.channels import ChannelsPlugin, Subscriber
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline

from app.domain.events import LogChange, Outgoing
from app.realtime.bus.envelope import ORIGIN_BYTES, open_foreign, seal
from app.realtime.bus.ephemeral_events import Event, Signal
from app.realtime.bus.redis_backend import RedisBackend
from app.redis.client import RedisClient, RedisUnavailable

log = structlog.get_logger(__name__)

CHANNEL = "chat:bus"

Hear = Callable[[Sequence[Event]], None]
Rider = Callable[[Pipeline, Sequence[Outgoing]], Callable[[list[Any]], None] | None]
"""Adds commands to the pipeline that publishes. The callback it returns receives their answers, errors included."""


class ImmediateSubscriber(Subscriber):
    """Processes each payload at once instead of queueing it, so that none can be dropped silently."""

    def put_nowait(self, item: bytes | None) -> bool:
        if item is not None:
            self._backend.receive(item)  # type: ignore[attr-defined]
        return True


class Bus:
    """Register `plugin` with the application; call `start()` once the event loop runs.

    A process without sockets (a worker) creates a bus only to publish.
    """

    def __init__(
        self, accelerator: RedisClient, url: str, *, riders: Sequence[Rider] = (), origin: bytes | None = None
    ) -> None:
        self.accelerator = accelerator
        self._riders = tuple(riders)
        self.origin = origin or secrets.token_bytes(ORIGIN_BYTES)
        self._hear: Hear = _nobody
        self._reconnected: Callable[[], None] = _nothing
        canary = f"chat:bus:canary:{self.origin.hex()}"
        self.backend = RedisBackend(accelerator, url, canary, self._receive, lambda: self._reconnected())
        self.plugin = ChannelsPlugin(
            self.backend, channels=(CHANNEL,), subscriber_class=ImmediateSubscriber, subscriber_max_backlog=1
        )

    @property
    def hearing(self) -> bool:
        """Whether the subscription to other processes works."""
        return self.backend.hearing

    def listen(self, hear: Hear, reconnected: Callable[[], None]) -> None:
        """`hear` receives all events in order of arrival; `reconnected` is called when the subscription (re)starts."""
        self._hear, self._reconnected = hear, reconnected

    async def start(self) -> None:
        await self.plugin.subscribe(CHANNEL)

    async def hand_over(self, events: list[Outgoing]) -> None:
        """Publish committed events: to this process at once, then to the cache and other processes. Never raises."""
        self._hear(events)
        await self._fly(events, self._riders)

    async def tell(self, *signals: Signal) -> None:
        """Publish ephemeral events to this and all other processes. Never raises."""
        self._hear(signals)
        await self._fly(signals, ())

    async def _fly(self, events: Sequence[Any], riders: Sequence[Rider]) -> None:
        async def operation(redis: Redis) -> list[tuple[Callable[[list[Any]], None], list[Any]]]:
            async with redis.pipeline(transaction=False) as pipeline:
                spans = [(*_ride(rider, pipeline, events),) for rider in riders]
                pipeline.publish(CHANNEL, seal(self.origin, events))
                # Do not raise on error: a full Redis refuses cache writes but still publishes.
                answers = await pipeline.execute(raise_on_error=False)
            return [(take, answers[first:last]) for take, first, last in spans if take is not None]

        try:
            for take, answers in await self.accelerator.call(operation):
                take(answers)
        except RedisUnavailable:
            return
        except Exception:
            log.exception("hand_over_failed")

    def _receive(self, payload: bytes) -> None:
        try:
            events = open_foreign(self.origin, payload)
        except msgspec.MsgspecError:
            log.error("envelope_unreadable", size=len(payload))
            return
        if events:
            self._hear(events)


def _ride(
    rider: Rider, pipeline: Pipeline, events: Sequence[Any]
) -> tuple[Callable[[list[Any]], None] | None, int, int]:
    first = len(pipeline)
    take = rider(pipeline, events)
    return take, first, len(pipeline)


def _nobody(events: Sequence[Event]) -> None:
    """Default before `listen`: does nothing."""


def _nothing() -> None:
    """Default before `listen`: does nothing."""


def cache_rider(add_writes: Callable[[Pipeline, Sequence[LogChange]], Callable[[list[Any]], None]]) -> Rider:
    """Returns a rider that passes the log changes among the events to a cache."""

    def ride(pipeline: Pipeline, events: Sequence[Outgoing]) -> Callable[[list[Any]], None]:
        return add_writes(pipeline, [event for event in events if isinstance(event, LogChange)])

    return ride
