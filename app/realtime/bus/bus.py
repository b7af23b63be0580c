"""The bus between processes, over Litestar's channels. No other module uses channels.

A process delivers its own events to its own hub at once, without Redis, and drops their echo. All processes subscribe
to one channel: a batch stays together and in order, and costs one publish and one echo. One pipeline carries the cache
writes and the publish, under the Redis client's deadline. Publishers never see its failures: processes that missed an
event read it from Postgres.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence

import msgspec
import structlog
from litestar.channels import ChannelsPlugin, Subscriber
from prometheus_client import Counter
from redis.asyncio import Redis

from app.domain.events import LogChange
from app.realtime.bus.envelope import ORIGIN_BYTES, decode_foreign_envelope, encode_envelope
from app.realtime.bus.ephemeral_events import Event
from app.realtime.bus.redis_backend import RedisBackend
from app.redis.client import RedisClient, RedisUnavailable
from app.store.page_cache import PageCache

log = structlog.get_logger(__name__)

CHANNEL = "chat:bus"

PUBLISHES = Counter("chat_bus_publishes", "Batches of events published to other processes, by outcome.", ["outcome"])
_PUBLISHED, _FAILED = PUBLISHES.labels("published"), PUBLISHES.labels("failed")


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

    def __init__(self, redis: RedisClient, url: str, cache: PageCache) -> None:
        self.redis = redis
        self.origin = secrets.token_bytes(ORIGIN_BYTES)
        self._cache = cache
        self._deliver: Callable[[Sequence[Event]], None] = _ignore_events
        self._on_connect: Callable[[], None] = _do_nothing
        canary = f"chat:bus:canary:{self.origin.hex()}"
        self.backend = RedisBackend(redis, url, canary, self._receive, lambda: self._on_connect())
        self.plugin = ChannelsPlugin(
            self.backend, channels=(CHANNEL,), subscriber_class=ImmediateSubscriber, subscriber_max_backlog=1
        )

    @property
    def connected(self) -> bool:
        """Whether events of other processes arrive."""
        return self.backend.connected

    def listen(self, deliver: Callable[[Sequence[Event]], None], on_connect: Callable[[], None]) -> None:
        """`deliver` takes all events in order of arrival; `on_connect` is called when the subscription (re)starts."""
        self._deliver, self._on_connect = deliver, on_connect

    async def start(self) -> None:
        await self.plugin.subscribe(CHANNEL)

    async def publish(self, events: Sequence[Event]) -> None:
        """Publish committed or ephemeral events: to this process at once, then to the cache and the other processes.
        Never raises."""
        self._deliver(events)
        changes = [event for event in events if isinstance(event, LogChange)]

        async def operation(redis: Redis) -> None:
            async with redis.pipeline(transaction=False) as pipeline:
                self._cache.add_writes(pipeline, changes)
                pipeline.publish(CHANNEL, encode_envelope(self.origin, events))
                # Do not raise on error: a full Redis refuses cache writes but still publishes.
                *written, _ = await pipeline.execute(raise_on_error=False)
            self._cache.note_written(written)

        try:
            await self.redis.call(operation)
            _PUBLISHED.inc()
        except RedisUnavailable:
            _FAILED.inc()
        except Exception:
            _FAILED.inc()
            log.exception("publish_failed")

    def _receive(self, payload: bytes) -> None:
        try:
            events = decode_foreign_envelope(self.origin, payload)
        except msgspec.MsgspecError:
            log.error("envelope_unreadable", size=len(payload))
            return
        if events:
            self._deliver(events)


def _ignore_events(events: Sequence[Event]) -> None:
    """Default before `listen`: does nothing."""


def _do_nothing() -> None:
    """Default before `listen`: does nothing."""
