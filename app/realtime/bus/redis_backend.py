"""The channels plugin's Redis backend. It reconnects without limit and detects a silent subscription.

A half-open connection looks healthy but delivers nothing, even with keep-alive. So a canary is published every second
on this process's own channel, and the subscription is rebuilt if none returns for `SILENCE_SECONDS`. Nothing is queued
here: the subscriber takes the bytes at once, and events that Redis loses are read from Postgres.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import suppress

import structlog
from litestar.channels.backends.base import ChannelsBackend
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from app.redis.client import RedisClient, RedisUnavailable

log = structlog.get_logger(__name__)

CANARY_SECONDS = 1.0
SILENCE_SECONDS = 3.0
CONNECT_SECONDS = 2.0
MIN_BACKOFF_SECONDS = 0.1
MAX_BACKOFF_SECONDS = 2.0
CLOSE_SECONDS = 1.0


class SubscriptionSilent(Exception):
    """The subscription is open, but its canary does not return."""


class RedisBackend(ChannelsBackend):
    """`canary` is this process's own channel. `receive` takes each payload; `on_connect` is called whenever the
    subscription starts to work."""

    def __init__(
        self,
        redis: RedisClient,
        url: str,
        canary: str,
        receive: Callable[[bytes], None],
        on_connect: Callable[[], None],
    ) -> None:
        self.receive = receive
        self._redis = redis
        self._client = Redis.from_url(
            url,
            max_connections=2,
            socket_connect_timeout=CONNECT_SECONDS,
            # Every call has its own deadline. With a timeout here redis-py writes through asyncio.wait_for, which in
            # Python 3.11 swallows a cancellation that arrives as it ends: stopping would then wait for ever.
            socket_timeout=None,
            retry=Retry(NoBackoff(), 0),
            protocol=3,
        )
        self._canary = canary
        self._on_connect = on_connect
        self._channels: set[str] = set()
        self._canary_task: asyncio.Task[None] | None = None
        self._canary_seen = 0.0
        self.connected = False

    async def on_startup(self) -> None:
        self._canary_task = asyncio.create_task(self._send_canaries())

    async def on_shutdown(self) -> None:
        """Finishes within a second, whatever the state of Redis."""
        if self._canary_task is not None:
            self._canary_task.cancel()
            with suppress(asyncio.CancelledError):
                await self._canary_task
        with suppress(RedisError, OSError, TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._client.aclose()

    async def publish(self, data: bytes, channels: Iterable[str]) -> None:
        """Publish if possible. Never waits longer than the Redis client's deadline; failures are ignored."""
        for channel in channels:
            with suppress(RedisUnavailable):
                await self._redis.call(lambda redis, to=channel: redis.publish(to, data))  # type: ignore[misc]

    async def subscribe(self, channels: Iterable[str]) -> None:
        """Takes effect with the next subscription: all channels are added before the stream starts."""
        self._channels.update(channels)

    async def unsubscribe(self, channels: Iterable[str]) -> None:
        self._channels.difference_update(channels)

    async def get_history(self, channel: str, limit: int | None = None) -> list[bytes]:  # noqa: ARG002
        """Returns nothing: history is in Postgres."""
        return []

    async def stream_events(self) -> AsyncGenerator[tuple[str, bytes], None]:
        """Yields the payloads of the channels without end. No failure of Redis stops it."""
        pause = MIN_BACKOFF_SECONDS
        while True:
            pubsub = self._client.pubsub(ignore_subscribe_messages=True)
            try:
                await self._connect(pubsub)
                while True:
                    message = await pubsub.get_message(timeout=CANARY_SECONDS)
                    if message is None:
                        self._check_canary()
                        continue
                    channel = message["channel"].decode()
                    if channel != self._canary:
                        yield channel, message["data"]
                        continue
                    self._canary_seen = time.monotonic()
                    if not self.connected:
                        pause = MIN_BACKOFF_SECONDS
                        self._note_connected()
            except (RedisError, OSError, TimeoutError, SubscriptionSilent) as error:
                if self.connected:
                    log.warning("bus_lost", error=type(error).__name__)
                self.connected = False
            finally:
                await self._drop(pubsub)
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, not a secret
            pause = min(pause * 2, MAX_BACKOFF_SECONDS)

    async def _connect(self, pubsub: PubSub) -> None:
        async with asyncio.timeout(CONNECT_SECONDS):
            await pubsub.subscribe(*self._channels, self._canary)
        self._canary_seen = time.monotonic()
        await self._send_canary()

    def _note_connected(self) -> None:
        self.connected = True
        log.info("bus_connected")
        self._on_connect()

    def _check_canary(self) -> None:
        # Called only when nothing is left to read: after a pause of the process, canaries may still be in the buffer.
        if time.monotonic() - self._canary_seen > SILENCE_SECONDS:
            raise SubscriptionSilent

    async def _drop(self, pubsub: PubSub) -> None:
        with suppress(RedisError, OSError, TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await pubsub.aclose()  # type: ignore[no-untyped-call]

    async def _send_canaries(self) -> None:
        while True:
            await asyncio.sleep(CANARY_SECONDS)
            await self._send_canary()

    async def _send_canary(self) -> None:
        await self.publish(b"1", [self._canary])
