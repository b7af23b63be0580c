"""The bus between processes, over Litestar's channels: the only file that names channels.

A process's own events reach its own hub at once, before and without Redis; its echo is dropped. All processes hear one
channel: a batch stays together and in order, and costs one publish and one echo. One pipeline carries the
cache's writes and the publish; it has the accelerator's deadline, and a sender never learns that it failed: who missed
something finds it in Postgres.
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
"""Puts commands of its own into the pipeline that publishes; what it returns is given their answers, errors too."""


class ImmediateSubscriber(Subscriber):
    """Hands each payload on where the plugin would queue it: nothing waits, so nothing can be dropped unseen."""

    def put_nowait(self, item: bytes | None) -> bool:
        if item is not None:
            self._backend.receive(item)  # type: ignore[attr-defined]
        return True


class BusBackend(RedisBackend):
    """The backend, and where its payloads go."""

    receive: Callable[[bytes], None]


class Bus:
    """`plugin` belongs into the application's plugins; `start()` once its loop runs.

    A process that serves no sockets (a worker) makes one too, and only hands over.
    """

    def __init__(
        self, accelerator: RedisClient, url: str, *, riders: Sequence[Rider] = (), origin: bytes | None = None
    ) -> None:
        self.accelerator = accelerator
        self._riders = tuple(riders)
        self.origin = origin or secrets.token_bytes(ORIGIN_BYTES)
        self._hear: Hear = _nobody
        self._reconnected: Callable[[], None] = _nothing
        self.backend = BusBackend(accelerator, url, f"chat:bus:canary:{self.origin.hex()}", lambda: self._reconnected())
        self.backend.receive = self._receive
        self.plugin = ChannelsPlugin(
            self.backend, channels=(CHANNEL,), subscriber_class=ImmediateSubscriber, subscriber_max_backlog=1
        )

    @property
    def hearing(self) -> bool:
        """Whether other processes are heard at the moment."""
        return self.backend.hearing

    def listen(self, hear: Hear, reconnected: Callable[[], None]) -> None:
        """`hear` is given all events in the order heard; `reconnected` is called when hearing began (again)."""
        self._hear, self._reconnected = hear, reconnected

    async def start(self) -> None:
        await self.plugin.subscribe(CHANNEL)

    async def hand_over(self, events: list[Outgoing]) -> None:
        """Tell what was committed: this process's sockets at once, then the cache and everybody else. Never raises."""
        self._hear(events)
        await self._fly(events, self._riders)

    async def tell(self, *signals: Signal) -> None:
        """Tell what may be lost, here and everywhere. Never raises."""
        self._hear(signals)
        await self._fly(signals, ())

    async def _fly(self, events: Sequence[Any], riders: Sequence[Rider]) -> None:
        async def operation(redis: Redis) -> list[tuple[Callable[[list[Any]], None], list[Any]]]:
            async with redis.pipeline(transaction=False) as pipeline:
                spans = [(*_ride(rider, pipeline, events),) for rider in riders]
                pipeline.publish(CHANNEL, seal(self.origin, events))
                # Errors stay answers: a Redis that is full refuses cache writes and still publishes.
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
    """Who hears nothing."""


def _nothing() -> None:
    """Who need not know."""


def cache_rider(add_writes: Callable[[Pipeline, Sequence[LogChange]], Callable[[list[Any]], None]]) -> Rider:
    """The rider of a cache, which is given the changes among the events."""

    def ride(pipeline: Pipeline, events: Sequence[Outgoing]) -> Callable[[list[Any]], None]:
        return add_writes(pipeline, [event for event in events if isinstance(event, LogChange)])

    return ride
