"""Making a conversation's cache anew from Postgres, in one snapshot. Safe beside live writes: see cache.py."""

from __future__ import annotations

from uuid import UUID

from redis.asyncio import Redis

from app.db import Database
from app.domain.messages.pages import Entry, newest
from app.realtime.accelerator import Accelerator
from app.realtime.cache import LARGEST_BYTES, Cache

DEADLINE = 2.0


class Rebuilder:
    def __init__(self, database: Database, accelerator: Accelerator, cache: Cache) -> None:
        self._database = database
        self._accelerator = accelerator
        self._cache = cache

    async def rebuild(self, conversation: UUID) -> int:
        """Put the newest messages of `conversation` into its cache; how many fitted.

        Raises:
            Away, Unavailable: Redis or Postgres is away; the task is tried again.
        """
        async with self._database.transaction() as session:
            edited_position, entries = await newest(session, conversation, self._cache.most)
        fitting = _fitting(entries)

        async def write(redis: Redis) -> None:
            pipeline = redis.pipeline(transaction=False)
            self._cache.add_rebuild(pipeline, conversation, edited_position, fitting)
            await pipeline.execute()

        if fitting:
            await self._accelerator.call(write, deadline=DEADLINE)
        return len(fitting)


def _fitting(entries: list[Entry]) -> list[Entry]:
    """The newest of `entries` that fit into the cache's bytes."""
    room = LARGEST_BYTES
    for place in range(len(entries) - 1, -1, -1):
        room -= len(entries[place][2])
        if room < 0:
            return entries[place + 1 :]
    return entries
