"""The newest messages of each conversation in a Redis hash: served only when proven, so it cannot lie.

Field = `seq`, value = the message as JSON; at most `CACHE_MESSAGES` (500) messages and 512 KiB, expiring after a day.
A page is proven when every `seq` of it is present (the log has no holes) and the hash's `edited` equals the
conversation's `edited_position`, which each edit, delete and rename moves. `last_seq` and `edited_position` come from
Postgres, or from what is known of it (`access`), never from the hash. A cache write that is lost therefore makes a page
unproven, never wrong: an edit's write applies only onto the `edited` it replaces, a live write must be newer than what
it finds (by the message's own `position`), a rebuild may replace equals unless the hash knows a newer edit. One script
does all writing, one proves and joins pages: a page crosses the wire as one string, and is decoded nowhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha1
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple
from uuid import UUID

import msgspec
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.commands.core import AsyncScript
from redis.exceptions import NoScriptError

from app.domain.conversations.recent_activity import ConversationHead
from app.domain.events import LogChange

MAX_BYTES = 512 * 1024
EXPIRY = 24 * 3600
NAMED_FIELDS = 4
"""Of a hash: low, high, bytes, edited; and floor, once it is known."""

WHY: Final[tuple[Literal["beyond", "missing", "unproven", "behind"], ...]] = ("beyond", "missing", "unproven", "behind")
"""As `page_cache_read.lua` counts them."""

WRITE = (Path(__file__).parent / "page_cache_write.lua").read_text(encoding="utf-8")
WRITE_NAME = sha1(WRITE.encode(), usedforsecurity=False).hexdigest()
READ = (Path(__file__).parent / "page_cache_read.lua").read_text(encoding="utf-8")


class PageRequest(msgspec.Struct, frozen=True):
    """A page to prove: seqs `low … high` (inclusive), true for `edited_position`.

    If `newest` is given, only while no later message is cached.
    """

    conversation: UUID
    low: int
    high: int
    edited_position: int
    newest: int = 0


class Write(NamedTuple):
    """What one conversation's cache is to take: (seq, json) each."""

    mode: Literal["live", "edit", "rebuild"]
    conversation: UUID
    edited_before: int
    edited: int
    entries: Sequence[tuple[int, bytes]]


CacheState = Literal["whole", "missing", "behind"]


class CacheMiss(msgspec.Struct, frozen=True):
    """Not proven. `why`: no hash at all, a hash that does not prove it, a page older than it holds, one that newer
    messages follow than whoever asks knows, or no Redis."""

    why: Literal["missing", "unproven", "beyond", "behind", "away"]

    @property
    def rebuild(self) -> bool:
        """Whether the cache should hold this page and does not."""
        return self.why in ("missing", "unproven")


def key_of(conversation: UUID) -> str:
    """All keys of one conversation share a hash tag, so that they live on one node of a cluster."""
    return f"chat:{{{conversation}}}:log"


class PageCache:
    """`most` is the number of messages kept for a conversation."""

    def __init__(self, *, most: int = 500) -> None:
        self.most = most
        self._read: AsyncScript | None = None
        self._is_known = False

    def add_writes(self, pipeline: Pipeline, changes: Iterable[LogChange]) -> Callable[[list[Any]], None]:
        """Put what `changes` mean for the cache into `pipeline`, which also publishes them; what is returned wants the
        answers. One call of the script for all conversations of a flight."""
        live: dict[UUID, list[LogChange]] = {}
        writes: list[Write] = []
        for change in changes:
            if change.type == "message.created":
                live.setdefault(change.conversation, []).append(change)
            elif change.edited != change.edited_before:
                # It stands in line behind the messages created before it.
                writes += _live(live.pop(change.conversation, []))
                if change.seq:
                    entry = [(change.seq, change.data)]
                    writes.append(Write("edit", change.conversation, change.edited_before, change.edited, entry))
                else:
                    # A rename: no message here knows the new name, and a name that was given up is to be gone.
                    self._run(pipeline, writes)
                    writes = []
                    pipeline.unlink(key_of(change.conversation))
        for created in live.values():
            writes += _live(created)
        self._run(pipeline, writes)
        return self._learn

    def add_rebuild(
        self, pipeline: Pipeline, conversation: UUID, edited_position: int, messages: Sequence[tuple[int, int, bytes]]
    ) -> None:
        """Write (seq, position, json) as read from Postgres in one snapshot with `edited_position`."""
        entries = [(seq, data) for seq, _, data in messages]
        write = Write("rebuild", conversation, edited_position, edited_position, entries)
        pipeline.eval(WRITE, 1, *self._arguments([write]))

    async def pages(self, redis: Redis, wanted: Sequence[PageRequest]) -> list[bytes | CacheMiss]:
        """For each page its messages' JSON, joined by commas in ascending seq, or why not. One round trip for all."""
        if self._read is None:
            self._read = redis.register_script(READ)
        keys = [key_of(page.conversation) for page in wanted]
        numbers = [number for page in wanted for number in (page.low, page.high, page.edited_position, page.newest)]
        answers = await self._read(keys=keys, args=numbers, client=redis)
        return [one if isinstance(one, bytes) else CacheMiss(WHY[one]) for one in answers]

    async def standings(self, redis: Redis, heads: Sequence[ConversationHead]) -> list[CacheState]:
        """How each conversation's hash compares with what Postgres says. One round trip for all."""
        pipeline = redis.pipeline(transaction=False)
        for head in heads:
            pipeline.hmget(key_of(head.conversation), "low", "high", "edited", "floor")
            pipeline.hlen(key_of(head.conversation))
        answers = await pipeline.execute()
        return [_standing(*found) for found in zip(heads, answers[::2], answers[1::2], strict=True)]

    def _run(self, pipeline: Pipeline, writes: Sequence[Write]) -> None:
        if not writes:
            return
        # By its name, once Redis has it: its text is longer than what it writes.
        if self._is_known:
            pipeline.evalsha(WRITE_NAME, len(writes), *self._arguments(writes))
        else:
            pipeline.eval(WRITE, len(writes), *self._arguments(writes))

    def _learn(self, answers: list[Any]) -> None:
        """A Redis that is new does not know the script: what it was to write is lost, and so unproven; the next one is
        given the text."""
        if any(isinstance(one, NoScriptError) for one in answers):
            self._is_known = False
        elif any(isinstance(one, int) for one in answers):
            self._is_known = True

    def _arguments(self, writes: Sequence[Write]) -> list[str | bytes | int]:
        arguments: list[str | bytes | int] = [key_of(one.conversation) for one in writes]
        arguments += (self.most, MAX_BYTES, EXPIRY)
        for one in writes:
            arguments += (one.mode, one.edited_before, one.edited, len(one.entries))
            for entry in one.entries:
                arguments += entry
        return arguments


def _live(created: Sequence[LogChange]) -> list[Write]:
    entries = [(change.seq, change.data) for change in created]
    return [Write("live", created[0].conversation, 0, 0, entries)] if created else []


def _standing(head: ConversationHead, fields: Sequence[Any], length: int) -> CacheState:
    low, high, edited, floor = fields
    if high is None:
        return "missing"
    messages = length - NAMED_FIELDS - (floor is not None)
    whole = int(high) - int(low) + 1 == messages
    # A live write may be ahead of what was asked of Postgres a moment before.
    return "whole" if whole and int(high) >= head.last_seq and int(edited) >= head.edited_position else "behind"
