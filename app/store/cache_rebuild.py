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
            edited_position, entries = await newest(session, conversation, self._cache.most)
        fitting = _fitting(entries)

        async def write(redis: Redis) -> None:
            pipeline = redis.pipeline(transaction=False)
            self._cache.add_rebuild(pipeline, conversation, edited_position, fitting)
            await pipeline.execute()

        if fitting:
            await self._redis_client.call(write, deadline=DEADLINE)
        return len(fitting)

    async def sweep(self, looked: int, repaired: int) -> RebuildResult:
        """Compares the caches of the `looked` busiest conversations with Postgres and rebuilds at most `repaired`.

        Warms an empty Redis (new, or after FLUSHALL), newest conversations first.

        Raises:
            RedisUnavailable, Unavailable: Redis or Postgres is down.
        """
        async with self._database.transaction() as session:
            heads = await busiest(session, looked)
        if not heads:
            return RebuildResult(0, 0, 0)
        standings = await self._redis_client.call(lambda redis: self._cache.standings(redis, heads), deadline=DEADLINE)
        found = [(head, standing) for head, standing in zip(heads, standings, strict=True) if standing != "whole"]
        for head, _ in found[:repaired]:
            await self.rebuild(head.conversation)
        done = [standing for _, standing in found[:repaired]]
        return RebuildResult(done.count("missing"), done.count("behind"), len(found) - len(done))


def _fitting(entries: list[EncodedMessage]) -> list[EncodedMessage]:
    """Returns the newest `entries` that fit into MAX_BYTES."""
    room = MAX_BYTES
    for place in range(len(entries) - 1, -1, -1):
        room -= len(entries[place][2])
        if room < 0:
            return entries[place + 1 :]
    return entries
