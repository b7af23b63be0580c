"""Rebuilds a conversation's cache from one Postgres snapshot. Safe alongside live writes: see `page_cache`."""

from __future__ import annotations

from uuid import UUID

import msgspec
from redis.asyncio import Redis

from app.db import Database
from app.domain.conversations.recent_changes import busiest
from app.domain.messages.history import EncodedMessage, newest
from app.redis.client import RedisClient
from app.store.page_cache import MAX_BYTES, PageCache

DEADLINE = 2.0


class RebuildResult(msgspec.Struct, frozen=True):
    """Counts: `warmed` had no cache, `repaired` a stale cache or one with holes, `left` remain for the next sweep."""

    warmed: int
    repaired: int
    left: int


class Rebuilder:
    def __init__(self, database: Database, redis_client: RedisClient, cache: PageCache) -> None:
        self._database = database
        self._redis_client = redis_client
        self._cache = cache

    async def rebuild(self, conversation: UUID) -> int:
        """Writes the newest messages of `conversation` to its cache. Returns how many fitted.

        Raises:
            RedisUnavailable, Unavailable: Redis or Postgres is down; the task is retried.
        """
        async with self._database.transaction() as session:
            edited_position, entries = await newest(session, conversation, self._cache.max_messages)
        fitting = _fitting(entries)

        async def write(redis: Redis) -> None:
            pipeline = redis.pipeline(transaction=False)
            self._cache.add_rebuild(pipeline, conversation, edited_position, fitting)
            await pipeline.execute()

        if fitting:
            await self._redis_client.call(write, deadline=DEADLINE)
        return len(fitting)

    async def sweep(self, max_examined: int, max_rebuilt: int) -> RebuildResult:
        """Compares the caches of the `max_examined` busiest conversations with Postgres and rebuilds at most
        `max_rebuilt`.

        Warms an empty Redis (new, or after FLUSHALL), newest conversations first.

        Raises:
            RedisUnavailable, Unavailable: Redis or Postgres is down.
        """
        async with self._database.transaction() as session:
            heads = await busiest(session, max_examined)
        if not heads:
            return RebuildResult(0, 0, 0)
        states = await self._redis_client.call(lambda redis: self._cache.states(redis, heads), deadline=DEADLINE)
        found = [(head, state) for head, state in zip(heads, states, strict=True) if state != "whole"]
        for head, _ in found[:max_rebuilt]:
            await self.rebuild(head.conversation)
        rebuilt = [state for _, state in found[:max_rebuilt]]
        return RebuildResult(rebuilt.count("missing"), rebuilt.count("behind"), len(found) - len(rebuilt))


def _fitting(entries: list[EncodedMessage]) -> list[EncodedMessage]:
    """Returns the newest `entries` that fit into MAX_BYTES."""
    room = MAX_BYTES
    for index in range(len(entries) - 1, -1, -1):
        room -= len(entries[index][2])
        if room < 0:
            return entries[index + 1 :]
    return entries
