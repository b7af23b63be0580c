"""Defects of what is read over REST: pages, changes, the cache, counts and cursors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.conversations import read_cursors as cursors
from app.domain.conversations.access import Access
from app.domain.conversations.schemas import ReadState
from app.domain.inbox import snapshot
from app.domain.inbox.schemas import ConversationSummary
from app.domain.messages import changes
from app.domain.messages.changes import Changes
from app.domain.messages.history import PageQuery, SeqRange
from app.store import page_cache, page_reader
from app.store.page_cache import CacheMiss, CacheWrite, PageCache, PageRequest, key_of
from tests.system.chaos.checks import reading
from tests.system.chaos.mutations.declared import fire, mutation, one_in, replace

CALM = 24.0
"""Sends a second where the newest page must still hold what was edited."""


@mutation("I4", reading.paging_is_complete, seconds=14.0)
def page_skips_one() -> None:
    """One page in three skips the first message after the previous page."""
    chosen = one_in(3)

    def skipping(span_of: Any) -> Any:
        def span(ask: PageQuery, last_seq: int) -> SeqRange:
            if ask.after and chosen():
                fire()
                ask = msgspec.structs.replace(ask, after=ask.after + 1)
            found: SeqRange = span_of(ask, last_seq)
            return found

        return span

    replace(page_reader, "span_of", skipping)


@mutation("I4", reading.paging_is_complete, faults=("a clock five minutes ahead",))
def clock_orders() -> None:
    """The messages of a page are in the order of their ids, and so of the clocks of the processes that made them."""

    def sorting(assemble: Any) -> Any:
        def sort(joined: bytes, position: int, *, has_more: bool) -> bytes:
            rows = msgspec.json.decode(b"[" + joined + b"]")
            ordered = sorted(rows, key=lambda row: row["id"])
            fire(ordered != rows)
            page: bytes = assemble(msgspec.json.encode(ordered)[1:-1], position, has_more=has_more)
            return page

        return sort

    replace(page_reader, "assemble", sorting)


@mutation("I4", reading.paging_is_complete)
def changes_skip_one() -> None:
    """A page of changes over REST omits the second one without a sign."""

    def skipping(changes_after: Any) -> Any:
        async def after(
            session: AsyncSession, conversation: UUID, position: int, limit: int = 50, **bounds: int
        ) -> Changes:
            found: Changes = await changes_after(session, conversation, position, limit, **bounds)
            if len(found.items) < 3:
                return found
            fire()
            third = msgspec.structs.replace(found.items[2], prev=found.items[0].position)
            return msgspec.structs.replace(found, items=[found.items[0], third, *found.items[3:]])

        return after

    replace(changes, "changes_after", skipping)


@mutation("I15", reading.the_cache_never_lies, rate=CALM, seconds=10.0)
def cache_not_proven() -> None:
    """The cache writes of edits are lost, which is allowed, and an unproven page is served, which is not."""
    proof = "local whole = (held[count + 1] or '0') == edited"
    assert proof in page_cache.READ
    credulous = page_cache.READ.replace(proof, "local whole = true")

    def believing(ask: Any) -> Any:
        async def serve(self: PageCache, redis: Redis, wanted: Sequence[PageRequest]) -> list[bytes | CacheMiss]:
            found: list[bytes | CacheMiss] = await ask(self, redis, wanted)
            for at, page in enumerate(wanted):
                if isinstance(found[at], CacheMiss):
                    numbers = (page.low, page.high, page.edited_position, page.newest)
                    (answer,) = await redis.eval(credulous, 1, key_of(page.conversation), *numbers)
                    if isinstance(answer, bytes):
                        fire()
                        found[at] = answer
            return found

        return serve

    def losing(run: Any) -> Any:
        def lose(self: PageCache, pipeline: Pipeline, writes: Sequence[CacheWrite]) -> None:
            run(self, pipeline, [one for one in writes if one.mode != "edit"])

        return lose

    replace(PageCache, "pages", believing)
    replace(PageCache, "_add_script", losing)


@mutation("I15", reading.pages_are_true_in_the_quiet, rate=CALM, seconds=10.0)
def edit_not_cached() -> None:
    """An edit updates the cache's proof but leaves the old text in it."""

    def forgetting(run: Any) -> Any:
        def half(self: PageCache, pipeline: Pipeline, writes: Sequence[CacheWrite]) -> None:
            fire(sum(one.mode == "edit" for one in writes))
            run(self, pipeline, [one._replace(entries=[]) if one.mode == "edit" else one for one in writes])

        return half

    replace(PageCache, "_add_script", forgetting)


@mutation("I8", reading.unread_converges)
def unread_counted_twice() -> None:
    """A list counts unread messages twice."""

    def doubling(as_summary: Any) -> Any:
        def summary(values: Any) -> ConversationSummary:
            found: ConversationSummary = as_summary(values)
            fire(bool(found.unread))
            return msgspec.structs.replace(found, unread=2 * found.unread)

        return summary

    replace(snapshot, "as_summary", doubling)


@mutation("I8", reading.cursors_never_move_back)
def cursor_moves_back() -> None:
    """Marking an older message as read moves the cursor back to it."""

    def obeying(move_cursor: Any) -> Any:
        async def move(session: AsyncSession, door: Access, seq: int) -> ReadState:
            if seq < door.read_seq:
                fire()
                await session.execute(
                    text("UPDATE memberships SET read_seq = :seq WHERE conversation_id = :one AND user_id = :user"),
                    {"seq": seq, "one": door.conversation, "user": door.user},
                )
                return ReadState(read_seq=seq, unread=door.last_seq - seq)
            state: ReadState = await move_cursor(session, door, seq)
            return state

        return move

    replace(cursors, "move_cursor", obeying)
