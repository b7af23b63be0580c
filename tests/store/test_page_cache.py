"""The cache may be empty, late or behind; it never serves what Postgres no longer has."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import msgspec
import pytest
from redis.asyncio import Redis

from app.domain.events import LogChange
from app.store.page_cache import MAX_BYTES, CacheMiss, PageCache, PageRequest, key_of

CONVERSATION = uuid4()


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    client: Redis = Redis.from_url(redis_url, socket_timeout=5)
    await client.flushdb()
    yield client
    await client.aclose()


def message(seq: int, position: int, text: str) -> bytes:
    return msgspec.json.encode({"seq": seq, "position": position, "text": text})


def created(seq: int, position: int | None = None, text: str = "text") -> LogChange:
    place = position or seq
    data = message(seq, place, text)
    return LogChange(
        type="message.created", conversation=CONVERSATION, position=place, prev=place - 1, data=data, seq=seq
    )


def edited(seq: int, position: int, before: int, text: str = "edited") -> LogChange:
    data = message(seq, position, text)
    return LogChange(
        type="message.updated",
        conversation=CONVERSATION,
        position=position,
        prev=position - 1,
        data=data,
        seq=seq,
        edited=position,
        edited_before=before,
    )


async def write(redis: Redis, cache: PageCache, *changes: LogChange) -> None:
    pipeline = redis.pipeline(transaction=False)
    cache.add_writes(pipeline, changes)
    await pipeline.execute()


async def rebuild(redis: Redis, cache: PageCache, edited_position: int, *entries: tuple[int, int, str]) -> None:
    pipeline = redis.pipeline(transaction=False)
    written = [(seq, position, message(seq, position, text)) for seq, position, text in entries]
    cache.add_rebuild(pipeline, CONVERSATION, edited_position, written)
    await pipeline.execute()


async def page(
    redis: Redis, cache: PageCache, low: int, high: int, edited_position: int = 0, newest: int = 0
) -> list[tuple[int, str]] | CacheMiss:
    """(seq, text) of each message of the page."""
    (found,) = await cache.pages(redis, [PageRequest(CONVERSATION, low, high, edited_position, newest)])
    if isinstance(found, CacheMiss):
        return found
    return [(one["seq"], one["text"]) for one in msgspec.json.decode(b"[%b]" % found)]


async def held(redis: Redis, conversation: UUID = CONVERSATION) -> dict[str, int]:
    fields = await redis.hgetall(key_of(conversation))
    names = {name.decode() if isinstance(name, bytes) else name: value for name, value in fields.items()}
    return {"messages": sum(name.isdigit() for name in names)} | {
        name: int(value) for name, value in names.items() if not name.isdigit()
    }


async def test_a_page_followed_by_newer_messages_is_served_to_a_process_that_knows_them(
    redis: Redis,
) -> None:
    cache = PageCache()
    await rebuild(redis, cache, 0, (1, 1, "one"), (2, 2, "two"), (3, 3, "three"))
    assert await page(redis, cache, 1, 2, newest=2) == CacheMiss("behind")
    assert await page(redis, cache, 1, 2, newest=3) == await page(redis, cache, 1, 2) == [(1, "one"), (2, "two")]


async def test_messages_written_live_are_served_in_order(redis: Redis) -> None:
    cache = PageCache()
    await write(redis, cache, created(1), created(2), created(3))
    assert await page(redis, cache, 2, 3) == [(2, "text"), (3, "text")]


async def test_a_page_with_a_hole_is_not_served(redis: Redis) -> None:
    cache = PageCache()
    await write(redis, cache, created(1), created(3))
    assert await page(redis, cache, 1, 3) == CacheMiss("unproven")
    assert await page(redis, cache, 3, 3) == [(3, "text")]


async def test_after_a_lost_write_of_an_edit_no_page_is_served_until_rebuilt(redis: Redis) -> None:
    cache = PageCache()
    await write(redis, cache, created(1), created(2))
    # The edit of 1 moved edited_position to 3 in Postgres, and its cache write was lost.
    assert await page(redis, cache, 1, 2, edited_position=3) == CacheMiss("unproven")
    # A later edit builds on the lost one: it does not apply either.
    await write(redis, cache, edited(2, position=4, before=3))
    assert await page(redis, cache, 1, 2, edited_position=4) == CacheMiss("unproven")
    await rebuild(redis, cache, 4, (1, 3, "one"), (2, 4, "two"))
    assert await page(redis, cache, 1, 2, edited_position=4) == [(1, "one"), (2, "two")]


async def test_an_edit_applies_onto_the_value_it_replaces(redis: Redis) -> None:
    cache = PageCache()
    await write(redis, cache, created(1), created(2), edited(1, position=3, before=0))
    assert await page(redis, cache, 1, 2, edited_position=3) == [(1, "edited"), (2, "text")]


async def test_after_a_rename_nothing_is_served_until_rebuilt(redis: Redis) -> None:
    """The names in cached messages are old, and no write of the cache's knows the new one."""
    cache = PageCache()
    await write(redis, cache, created(1), created(2))
    renamed = LogChange(
        type="member.updated", conversation=CONVERSATION, position=3, prev=2, data=b"{}", edited=3, edited_before=0
    )
    await write(redis, cache, renamed, edited(2, 4, before=3))
    assert await page(redis, cache, 1, 2, 3) == CacheMiss("missing")
    assert await page(redis, cache, 1, 2, 4) == CacheMiss("missing")
    assert await redis.hget(key_of(CONVERSATION), "1") is None  # a name that was given up is gone at once
    await rebuild(redis, cache, 4, (1, 1, "new name"), (2, 4, "new name"))
    assert await page(redis, cache, 1, 2, 4) == [(1, "new name"), (2, "new name")]


async def test_a_late_live_write_does_not_bring_an_old_text_back(redis: Redis) -> None:
    cache = PageCache()
    await write(redis, cache, edited(1, position=2, before=0, text="new"))
    await write(redis, cache, created(1, text="old"))
    assert await page(redis, cache, 1, 1, edited_position=2) == [(1, "new")]


async def test_a_position_in_a_text_is_not_read_as_the_messages_position(redis: Redis) -> None:
    cache = PageCache()
    claim = '"position":99'
    await write(redis, cache, created(1, text=claim), edited(1, position=2, before=0, text="new"))
    assert await page(redis, cache, 1, 1, edited_position=2) == [(1, "new")]
    await write(redis, cache, created(1, text=claim))
    assert await page(redis, cache, 1, 1, edited_position=2) == [(1, "new")]


async def test_a_rebuild_read_before_an_edit_does_not_undo_it(redis: Redis) -> None:
    cache = PageCache()
    await write(redis, cache, created(1), edited(1, position=2, before=0, text="new"))
    await rebuild(redis, cache, 0, (1, 1, "old"))
    assert await page(redis, cache, 1, 1, edited_position=2) == [(1, "new")]


async def test_a_rebuild_replaces_messages_at_equal_positions_because_a_name_may_differ(redis: Redis) -> None:
    cache = PageCache()
    await write(redis, cache, created(1, text="by Ada"))
    await rebuild(redis, cache, 0, (1, 1, "by Augusta"))
    assert await page(redis, cache, 1, 1) == [(1, "by Augusta")]


async def test_at_most_500_messages_are_kept_in_any_order_of_writes(redis: Redis) -> None:
    cache = PageCache()
    await write(redis, cache, *(created(seq) for seq in range(1, 620)))
    assert await held(redis) | {"bytes": 0} == {
        "messages": 500, "low": 120, "high": 619, "floor": 120, "edited": 0, "bytes": 0,
    }  # fmt: skip
    # An outage later: a jump leaves nothing behind, and edits of old messages add nothing.
    await write(redis, cache, created(2_000))
    await write(redis, cache, edited(50, position=2_001, before=0))
    assert (await held(redis))["messages"] == 1


async def test_at_most_512_kib_are_kept(redis: Redis) -> None:
    cache = PageCache()
    await write(redis, cache, *(created(seq, text="x" * 30_000) for seq in range(1, 40)))
    holding = await held(redis)
    assert 400_000 < holding["bytes"] <= MAX_BYTES
    assert holding["messages"] == holding["high"] - holding["low"] + 1


async def test_a_page_older_than_the_kept_messages_triggers_no_rebuild(redis: Redis) -> None:
    cache = PageCache(max_messages=10)
    await write(redis, cache, *(created(seq) for seq in range(1, 21)))
    assert await page(redis, cache, 5, 14) == CacheMiss("beyond")
    assert await page(redis, cache, 11, 20) != CacheMiss("unproven")


async def test_after_a_rebuild_the_cache_knows_where_it_ends(redis: Redis) -> None:
    cache = PageCache(max_messages=10)
    await rebuild(redis, cache, 0, *((seq, seq, "text") for seq in range(11, 21)))
    assert await page(redis, cache, 5, 14) == CacheMiss("beyond")
    # A hash that began in the middle of the log, without a rebuild, does not know it.
    await redis.flushdb()
    await write(redis, cache, created(11))
    assert await page(redis, cache, 10, 11) == CacheMiss("unproven")


async def test_live_writes_after_a_flush_make_no_complete_page(redis: Redis) -> None:
    cache = PageCache()
    await write(redis, cache, created(1), created(2), edited(1, position=3, before=0))
    await redis.flushdb()
    await write(redis, cache, created(3, position=4))
    # Whole by its seqs, but nothing says that it is true for the edit at 3.
    assert await page(redis, cache, 3, 3, edited_position=3) == CacheMiss("unproven")
    assert await page(redis, cache, 1, 3, edited_position=3) == CacheMiss("unproven")


async def test_a_cached_conversation_expires_after_a_day(redis: Redis) -> None:
    await write(redis, PageCache(), created(1))
    assert 86_000 < await redis.ttl(key_of(CONVERSATION)) <= 86_400
