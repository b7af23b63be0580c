"""Pages of messages: the access asked of Postgres, the bytes taken from the cache where it proves them.

Concurrent requests share one access query and one Redis round trip. What the cache cannot prove, or when Redis is away,
comes from Postgres; a page that the cache should have held is reported to `rebuild`, at most one report a conversation
at a time and never waited for.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

from prometheus_client import Counter

from app.db import Database
from app.domain.conversations.doors import Door, Pair, open_doors
from app.domain.errors import ChatError
from app.domain.messages.pages import Ask, Span, assemble, read_span, span_of
from app.domain.users.callers import Caller
from app.realtime.accelerator import Accelerator, Away
from app.realtime.batching import Batcher
from app.realtime.cache import Cache, Missed, Wanted

LARGEST_FLIGHT = 64
MOST_WAITING = 2_000

ASKED = Counter("chat_cache_pages", "Pages asked of the cache, by what it had.", ["had"])
_HITS = ASKED.labels("page")
_MISSES = {why: ASKED.labels(why) for why in ("missing", "unproven", "beyond", "away")}


class Pages:
    """`rebuild(conversation)` asks for the conversation's cache to be made anew, and returns at once."""

    def __init__(
        self, database: Database, accelerator: Accelerator, cache: Cache, rebuild: Callable[[UUID], None]
    ) -> None:
        self._database = database
        self._accelerator = accelerator
        self._cache = cache
        self._rebuild = rebuild
        self._doors: Batcher[Pair, Door] = Batcher(self._open, largest=LARGEST_FLIGHT, waiting=MOST_WAITING)
        self._proofs: Batcher[Wanted, bytes | Missed] = Batcher(
            self._prove, largest=LARGEST_FLIGHT, waiting=MOST_WAITING
        )

    async def page(self, conversation: UUID, caller: Caller, ask: Ask, admission: Awaitable[None]) -> bytes:
        """A `MessagePage` as JSON. `admission` is waited for beside the access, and comes first.

        Raises:
            Throttled: too many requests.
            NotFound, Forbidden: the caller may not read it.
            Invalid: the page asked for makes no sense.
            Unavailable: the database is away.
        """
        door = await self._doors.call_beside(admission, Pair(conversation, caller.user, caller.session))
        span = span_of(ask, door.last_seq)
        messages = await self._messages(door, span) if span.high >= span.low else b""
        return assemble(messages, door.position, has_more=span.has_more)

    async def _messages(self, door: Door, span: Span) -> bytes:
        if span.low > door.last_seq - self._cache.most:
            found = await self._proofs.call(Wanted(door.conversation, span.low, span.high, door.edited_position))
            if not isinstance(found, Missed):
                _HITS.inc()
                return found
            _MISSES[found.why].inc()
            if found.rebuild:
                self._rebuild(door.conversation)
        async with self._database.look() as reader:
            return b",".join([data for _, _, data in await read_span(reader, door.conversation, span)])

    async def _open(self, pairs: Sequence[Pair]) -> Sequence[Door | ChatError]:
        async with self._database.look() as reader:
            return await open_doors(reader, pairs)

    async def _prove(self, wanted: Sequence[Wanted]) -> Sequence[bytes | Missed]:
        try:
            return await self._accelerator.call(lambda redis: self._cache.pages(redis, wanted))
        except Away:
            return [Missed("away")] * len(wanted)
