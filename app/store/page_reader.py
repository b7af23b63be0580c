"""Reads pages of messages. `read_access` decides who may read; the bytes come from the cache if it proves the page.

Concurrent requests share one Postgres query and one Redis round trip; the cache is read alongside the rate check.
Unproven pages, and all pages while Redis is down, come from Postgres. A page that the cache should have held is
reported to `rebuild`, at most once per conversation at a time, without waiting.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

from prometheus_client import Counter

from app.batching import Batcher, run_beside
from app.db import Database
from app.domain.conversations.recent_changes import ConversationHead
from app.domain.errors import Invalid
from app.domain.messages.history import PageQuery, SeqRange, assemble, read_span, span_of
from app.domain.users.caller import Caller
from app.redis.client import RedisClient, RedisUnavailable
from app.store.local_conversation_cache import ConversationCache
from app.store.page_cache import CacheMiss, PageCache, PageRequest

MAX_BATCH = 64
MAX_WAITING = 2_000
CONCURRENT_READS = 4
"""Pages that one process reads from Postgres at once. A page of the largest messages takes 5 MB while it is assembled;
as many as there are connections took 140 MB when a client requested many and read none."""

MAX_WAIT_SECONDS = 3.0
"""As long as for a connection of the pool."""

EMPTY_RANGE = SeqRange(1, 0, has_more=False)

LOOKUPS = Counter("chat_cache_pages", "Page reads from the cache, by result.", ["had"])
_HITS = LOOKUPS.labels("page")
_MISSES = {reason: LOOKUPS.labels(reason) for reason in ("missing", "unproven", "beyond", "away")}


Page = tuple[bytes, bool]
"""The messages' JSON, joined by commas, and whether it is all of the requested span."""


class PageReader:
    """`rebuild(conversation)` enqueues a rebuild of the conversation's cache and returns at once."""

    def __init__(
        self,
        database: Database,
        redis_client: RedisClient,
        cache: PageCache,
        access: ConversationCache,
        rebuild: Callable[[UUID], None],
    ) -> None:
        self._database = database
        self._redis_client = redis_client
        self._cache = cache
        self._access = access
        self._rebuild = rebuild
        self._proofs: Batcher[PageRequest, bytes | CacheMiss] = Batcher(
            self._prove, max_batch=MAX_BATCH, max_waiting=MAX_WAITING
        )
        self._reads: Batcher[tuple[UUID, SeqRange], Page] = Batcher(
            self._read, max_batch=1, max_waiting=MAX_WAITING, concurrency=CONCURRENT_READS, max_wait=MAX_WAIT_SECONDS
        )

    async def page(self, conversation: UUID, caller: Caller, query: PageQuery, admission: Awaitable[None]) -> bytes:
        """Returns a `MessagePage` as JSON. Reads while `admission` is pending; errors of `admission` take precedence.

        Raises:
            Throttled: too many requests.
            NotFound, Forbidden: the caller may not read the conversation.
            Invalid: the page query is contradictory.
            Unavailable: the database is down.
        """
        cached = self._access.cached_head(conversation, caller)
        if cached is None:
            head = await run_beside(admission, self._access.query_head(conversation, caller))
        else:
            page = await self._cached_page(cached, query, admission)
            if page is not None:
                return page
            head = await self._access.query_head(conversation, caller)
        span = span_of(query, head.last_seq)
        found, complete = await self._read_messages(head, span)
        return assemble(found, head.position, has_more=span.has_more or not complete)

    async def _cached_page(self, head: ConversationHead, query: PageQuery, admission: Awaitable[None]) -> bytes | None:
        """Returns the page if the cache proves it and holds nothing newer. The cache may be ahead of `head`: another
        process caches a message before acknowledging it, and its event may not have arrived here yet."""
        try:
            span = span_of(query, head.last_seq)
        except Invalid:
            span = EMPTY_RANGE
        if not self._is_cacheable(head, span):
            await admission
            return None
        request = PageRequest(head.conversation, span.low, span.high, head.edited_position, head.last_seq)
        found = await run_beside(admission, self._proofs.submit(request))
        if isinstance(found, CacheMiss):
            return None
        _HITS.inc()
        return assemble(found, head.position, has_more=span.has_more)

    async def _read_messages(self, head: ConversationHead, span: SeqRange) -> Page:
        """Returns the messages of `span`, and whether they are complete."""
        if span.high < span.low:
            return b"", True
        if self._is_cacheable(head, span):
            found = await self._proofs.call(PageRequest(head.conversation, span.low, span.high, head.edited_position))
            if not isinstance(found, CacheMiss):
                _HITS.inc()
                return found, True
            _MISSES[found.reason].inc()
            if found.needs_rebuild:
                self._rebuild(head.conversation)
        return await self._reads.call((head.conversation, span))

    async def _read(self, wanted: Sequence[tuple[UUID, SeqRange]]) -> Sequence[Page]:
        """Reads the one page of a batch of one."""
        ((conversation, span),) = wanted
        async with self._database.read_only() as reader:
            entries = await read_span(reader, conversation, span)
        return [(b",".join([data for _, _, data in entries]), len(entries) > span.high - span.low)]

    def _is_cacheable(self, head: ConversationHead, span: SeqRange) -> bool:
        return span.high >= span.low > head.last_seq - self._cache.max_messages

    async def _prove(self, requests: Sequence[PageRequest]) -> Sequence[bytes | CacheMiss]:
        try:
            return await self._redis_client.call(lambda redis: self._cache.pages(redis, requests))
        except RedisUnavailable:
            return [CacheMiss("away")] * len(requests)
