"""A clock that stands where a test puts it, in place of the server's."""

from __future__ import annotations

import redis

SERVERS_CLOCK = "redis.call('TIME')"
SET_CLOCK = "({redis.call('HGET', 'clock', 's'), redis.call('HGET', 'clock', 'us')})"


class Clock:
    """The server's clock as the script sees it, in microseconds; far enough from zero to be set back."""

    def __init__(self, url: str) -> None:
        self._redis = redis.Redis.from_url(url, socket_timeout=5)
        self.now = 1_800_000_000_000_000
        self.advance(0)

    def advance(self, microseconds: int) -> None:
        self.now += microseconds
        self._redis.hset("clock", mapping={"s": self.now // 1_000_000, "us": self.now % 1_000_000})

    def close(self) -> None:
        self._redis.close()
