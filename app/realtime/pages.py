"""Pages of messages: who may read is known or asked (`access`), the bytes are the cache's where it proves them.

Concurrent requests share one question of Postgres and one Redis round trip; the cache is asked beside the throttle.
What it cannot prove, or when Redis is away, comes from Postgres; a page that it should have held is reported to
`rebuild`, at most one report a conversation at a time and never waited for.
"""

from __future__ import annotations

from asyncio import Future, get_running_loop
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

from prometheus_client import Counter

from app.db import Database
from app.domain.conversations.lately import Head
from app.domain.errors import Invalid
from app.domain.messages.pages import Ask, Span, assemble, read_span, span_of
from app.domain.users.callers import Caller
from app.realtime.accelerator import Accelerator, Away
from app.realtime.access import Access
from app.realtime.batching import Batcher, beside
from app.realtime.cache import Cache, Missed, Wanted

LARGEST_FLIGHT = 64
MOST_WAITING = 2_000
OLD = Missed("beyond")
"""Older than what the cache keeps: it is not asked."""

ASKED = Counter("chat_cache_pages", "Pages asked of the cache, by what it had.", ["had"])
_HITS = ASKED.labels("page")
_MISSES = {why: ASKED.labels(why) for why in ("missing", "unproven", "beyond", "away")}


class Pages:
    """`rebuild(conversation)` asks for the conversation's cache to be made anew, and returns at once."""

    def __init__(
        self,
        database: Database,
        accelerator: Accelerator,
        cache: Cache,
        access: Access,
        rebuild: Callable[[UUID], None],
    ) -> None:
        self._database = database
        self._accelerator = accelerator
        self._cache = cache
        self._access = access
        self._rebuild = rebuild
        self._proofs: Batcher[Wanted, bytes | Missed] = Batcher(
            self._prove, largest=LARGEST_FLIGHT, waiting=MOST_WAITING
        )

    async def page(self, conversation: UUID, caller: Caller, ask: Ask, admission: Awaitable[None]) -> bytes:
        """A `MessagePage` as JSON. `admission` is waited for beside what is asked, and comes first.

        Raises:
            Throttled: too many requests.
            NotFound, Forbidden: the caller may not read it.
            Invalid: the page asked for makes no sense.
            Unavailable: the database is away.
        """
        head = self._access.known(conversation, caller)
        if head is None:
            head = await beside(admission, self._access.ask(conversation, caller))
            span = span_of(ask, head.last_seq)
            found = await self._ask_cache(head, span)
        else:
            try:
                span = span_of(ask, head.last_seq)
            except Invalid:
                await admission
                raise
            found = await beside(admission, self._ask_cache(head, span))
        messages = found if isinstance(found, bytes) else await self._read(head, span, found)
        return assemble(messages, head.position, has_more=span.has_more)

    def _ask_cache(self, head: Head, span: Span) -> Future[bytes | Missed]:
        if span.high < span.low:
            return _done(b"")
        if span.low <= head.last_seq - self._cache.most:
            return _done(OLD)
        return self._proofs.ask(Wanted(head.conversation, span.low, span.high, head.edited_position))

    async def _read(self, head: Head, span: Span, missed: Missed) -> bytes:
        if missed.rebuild:
            self._rebuild(head.conversation)
        async with self._database.look() as reader:
            return b",".join([data for _, _, data in await read_span(reader, head.conversation, span)])

    async def _prove(self, wanted: Sequence[Wanted]) -> Sequence[bytes | Missed]:
        try:
            found: Sequence[bytes | Missed] = await self._accelerator.call(
                lambda redis: self._cache.pages(redis, wanted)
            )
        except Away:
            found = [Missed("away")] * len(wanted)
        for one in found:
            (_MISSES[one.why] if isinstance(one, Missed) else _HITS).inc()
        return found


def _done(found: bytes | Missed) -> Future[bytes | Missed]:
    answer: Future[bytes | Missed] = get_running_loop().create_future()
    answer.set_result(found)
    return answer
