"""Caches the newest messages of each conversation in a Redis hash, and serves a page only if it is proven current.

Field = `seq`, value = the message as JSON; at most `CACHE_MESSAGES` (500) messages and 512 KiB, expiring after a day.
A page is proven if every `seq` of it is present (the log has no holes) and the hash's `edited` equals the
conversation's `edited_position`, which each edit, delete and rename advances. `last_seq` and `edited_position` come
from Postgres or `read_access`, never from the hash. A lost cache write therefore makes a page unproven, never wrong: an
edit applies only to the `edited` value it replaces, a live write must be newer than the stored message (by `position`),
and a rebuild may replace equals unless the hash holds a newer edit. One script does all writes, another proves and
joins pages: a page travels as one string and is never decoded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha1
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple
from uuid import UUID

import msgspec
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.commands.core import AsyncScript
from redis.exceptions import NoScriptError

from app.domain.conversations.recent_changes import ConversationHead
from app.domain.events import LogChange

MAX_BYTES = 512 * 1024
EXPIRY = 24 * 3600
NAMED_FIELDS = 4
"""Fields of a hash that are not messages: low, high, bytes, edited. `floor` is added once known."""

MISS_REASONS: Final[tuple[Literal["beyond", "missing", "unproven", "behind"], ...]] = (
    "beyond",
    "missing",
    "unproven",
    "behind",
)
"""Reasons in the order of their numbers in `page_cache_read.lua`."""

WRITE = (Path(__file__).parent / "page_cache_write.lua").read_text(encoding="utf-8")
WRITE_NAME = sha1(WRITE.encode(), usedforsecurity=False).hexdigest()
READ = (Path(__file__).parent / "page_cache_read.lua").read_text(encoding="utf-8")


class PageRequest(msgspec.Struct, frozen=True):
    """A page to prove: seqs `low … high` (inclusive), current as of `edited_position`.

    If `newest` is given, the page is proven only while no later message is cached.
    """

    conversation: UUID
    low: int
    high: int
    edited_position: int
    newest: int = 0


class CacheWrite(NamedTuple):
    """A write to one conversation's cache. `entries` are (seq, json)."""

    mode: Literal["live", "edit", "rebuild"]
    conversation: UUID
    edited_before: int
    edited: int
    entries: Sequence[tuple[int, bytes]]


CacheState = Literal["whole", "missing", "behind"]


class CacheMiss(msgspec.Struct, frozen=True):
    """The page is not proven. `reason`: no hash (`missing`), the hash does not prove it (`unproven`), the page is older
    than the hash (`beyond`), the hash holds messages newer than the caller knows (`behind`), or Redis is down."""

    reason: Literal["missing", "unproven", "beyond", "behind", "away"]

    @property
    def needs_rebuild(self) -> bool:
        """True if the cache should hold this page but does not."""
        return self.reason in ("missing", "unproven")


def key_of(conversation: UUID) -> str:
    """Returns the cache key. All keys of a conversation share a hash tag, so a cluster keeps them on one node.

    A release that adds a field to messages changes the name `log`: values keep the form in which they were encoded.
    """
    return f"chat:{{{conversation}}}:log"


class PageCache:
    """Keeps at most `max_messages` per conversation."""

    def __init__(self, *, max_messages: int = 500) -> None:
        self.max_messages = max_messages
        self._read: AsyncScript | None = None
        self._script_is_loaded = False

    def add_writes(self, pipeline: Pipeline, changes: Iterable[LogChange]) -> None:
        """Adds the cache writes for `changes` to `pipeline`, which also publishes them. Call `note_written` with the
        answers. One script call serves all conversations of a batch."""
        live: dict[UUID, list[LogChange]] = {}
        writes: list[CacheWrite] = []
        for change in changes:
            if change.type == "message.created":
                live.setdefault(change.conversation, []).append(change)
            elif change.edited != change.edited_before:
                # Keep the order: messages created before this change are written first.
                writes += _live(live.pop(change.conversation, []))
                if change.seq:
                    entry = [(change.seq, change.data)]
                    writes.append(CacheWrite("edit", change.conversation, change.edited_before, change.edited, entry))
                else:
                    # A user rename: every cached message has the old name, which must not be served again.
                    self._add_script(pipeline, writes)
                    writes = []
                    pipeline.unlink(key_of(change.conversation))
        for created in live.values():
            writes += _live(created)
        self._add_script(pipeline, writes)

    def add_rebuild(
        self, pipeline: Pipeline, conversation: UUID, edited_position: int, messages: Sequence[tuple[int, int, bytes]]
    ) -> None:
        """Adds a rebuild to `pipeline`. `messages` are (seq, position, json), read in one snapshot with
        `edited_position`."""
        entries = [(seq, data) for seq, _, data in messages]
        write = CacheWrite("rebuild", conversation, edited_position, edited_position, entries)
        pipeline.eval(WRITE, 1, *self._arguments([write]))

    async def pages(self, redis: Redis, requests: Sequence[PageRequest]) -> list[bytes | CacheMiss]:
        """Returns for each page its messages' JSON, joined by commas in ascending seq, or a CacheMiss. One round trip
        for all."""
        if self._read is None:
            self._read = redis.register_script(READ)
        keys = [key_of(page.conversation) for page in requests]
        numbers = [number for page in requests for number in (page.low, page.high, page.edited_position, page.newest)]
        answers = await self._read(keys=keys, args=numbers, client=redis)
        return [answer if isinstance(answer, bytes) else CacheMiss(MISS_REASONS[answer]) for answer in answers]

    async def states(self, redis: Redis, heads: Sequence[ConversationHead]) -> list[CacheState]:
        """Compares each conversation's hash with its head in Postgres. One round trip for all."""
        pipeline = redis.pipeline(transaction=False)
        for head in heads:
            pipeline.hmget(key_of(head.conversation), "low", "high", "edited", "floor")
            pipeline.hlen(key_of(head.conversation))
        answers = await pipeline.execute()
        return [_state_of(*found) for found in zip(heads, answers[::2], answers[1::2], strict=True)]

    def _add_script(self, pipeline: Pipeline, writes: Sequence[CacheWrite]) -> None:
        if not writes:
            return
        # By hash once Redis has the script: the source is longer than the data it writes.
        if self._script_is_loaded:
            pipeline.evalsha(WRITE_NAME, len(writes), *self._arguments(writes))
        else:
            pipeline.eval(WRITE, len(writes), *self._arguments(writes))

    def note_written(self, answers: Sequence[Any]) -> None:
        """Takes the answers to the commands of `add_writes`.

        After NOSCRIPT the write was skipped: the page is unproven until rebuilt; the next call sends the source.
        """
        if any(isinstance(answer, NoScriptError) for answer in answers):
            self._script_is_loaded = False
        elif any(isinstance(answer, int) for answer in answers):
            self._script_is_loaded = True

    def _arguments(self, writes: Sequence[CacheWrite]) -> list[str | bytes | int]:
        arguments: list[str | bytes | int] = [key_of(write.conversation) for write in writes]
        arguments += (self.max_messages, MAX_BYTES, EXPIRY)
        for write in writes:
            arguments += (write.mode, write.edited_before, write.edited, len(write.entries))
            for entry in write.entries:
                arguments += entry
        return arguments


def _live(created: Sequence[LogChange]) -> list[CacheWrite]:
    entries = [(change.seq, change.data) for change in created]
    return [CacheWrite("live", created[0].conversation, 0, 0, entries)] if created else []


def _state_of(head: ConversationHead, fields: Sequence[Any], length: int) -> CacheState:
    low, high, edited, floor = fields
    if high is None:
        return "missing"
    messages = length - NAMED_FIELDS - (floor is not None)
    whole = int(high) - int(low) + 1 == messages
    # A live write may be ahead of the head read from Postgres a moment ago.
    return "whole" if whole and int(high) >= head.last_seq and int(edited) >= head.edited_position else "behind"
