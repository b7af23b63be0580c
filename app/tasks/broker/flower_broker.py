"""Reads queue lengths for Flower's broker page, from the same URL as all other components.

Flower's own classes support neither Unix sockets with a database nor TLS options in a URL.
"""

from __future__ import annotations

from typing import Any

from flower.utils.broker import RedisBase  # type: ignore[import-untyped]
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff


class Queues(RedisBase):
    """Replaces Flower's `Broker`."""

    def __init__(self, broker_url: str, **options: Any) -> None:
        super().__init__(broker_url, **options)
        self.redis = Redis.from_url(
            broker_url,
            socket_connect_timeout=self.socket_connect_timeout,
            socket_timeout=self.socket_timeout,
            retry=Retry(NoBackoff(), 0),
        )
