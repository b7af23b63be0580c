"""Traces a message through Postgres and the cache: whether the cache holds it as it stands is asked, never inferred."""

from __future__ import annotations

from uuid import UUID

from redis.asyncio import Redis

from app.db import Session
from app.domain.operators.schemas import CachedState, MessageTrace
from app.domain.operators.trace import Place, trace
from app.redis.client import RedisClient, RedisUnavailable
from app.store.page_cache import CacheMiss, PageCache, PageRequest


class MessageTraces:
    """Reads rows in the caller's transaction, and the cache by `redis`."""

    def __init__(self, redis: RedisClient, cache: PageCache) -> None:
        self._redis = redis
        self._cache = cache

    async def trace(
        self,
        session: Session,
        by: UUID | None,
        message: UUID,
        *,
        conversation: UUID | None,
        limit: int,
        cursor: str | None,
    ) -> MessageTrace:
        """Returns the trace with a page of its members. Raises as `app.domain.operators.trace.trace`."""
        place = await trace(session, by, message, conversation=conversation, limit=limit, cursor=cursor)
        return place.with_cached(await self._cached(place))

    async def _cached(self, place: Place) -> CachedState:
        request = PageRequest(place.conversation, place.seq, place.seq, place.edited_position)

        async def proven(redis: Redis) -> bytes | CacheMiss:
            (found,) = await self._cache.pages(redis, [request])
            return found

        try:
            found = await self._redis.call(proven)
        except RedisUnavailable:
            return "away"
        if isinstance(found, CacheMiss):
            return "unproven" if found.reason == "behind" else found.reason
        return "held"
