"""Flower's page of the broker: the lengths of the queues, from the same address as everything else.

Its own classes know neither sockets with a database nor the TLS options of an address.
"""

from __future__ import annotations

from typing import Any

from flower.utils.broker import RedisBase  # type: ignore[import-untyped]
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff


class Queues(RedisBase):
    """In the place of Flower's `BrokerStats`."""

    def __init__(self, broker_url: str, **options: Any) -> None:
        super().__init__(broker_url, **options)
        self.redis = Redis.from_url(
            broker_url,
            socket_connect_timeout=self.socket_connect_timeout,
            socket_timeout=self.socket_timeout,
            retry=Retry(NoBackoff(), 0),
        )
