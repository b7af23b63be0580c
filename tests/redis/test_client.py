"""The short way of single commands to Redis: every caller gets its own answer, on a connection that is one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.exceptions import ResponseError

from app.redis.client import RedisClient, RedisUnavailable

CONNECTIONS = 4
NAME = "short-way"


@pytest.fixture
async def redis_client(empty_redis_url: str) -> AsyncIterator[RedisClient]:
    opened = RedisClient(f"{empty_redis_url}?client_name={NAME}", connections=CONNECTIONS)
    yield opened
    await opened.close()


async def echo(redis_client: RedisClient, text: str) -> object:
    return await redis_client.call(lambda redis: redis.echo(text))


async def connections(redis_client: RedisClient) -> int:
    return [one["name"] for one in await redis_client.redis.client_list()].count(NAME)


async def test_consecutive_commands_share_a_connection(redis_client: RedisClient) -> None:
    assert [await echo(redis_client, str(n)) for n in range(20)] == [b"%d" % n for n in range(20)]
    assert await connections(redis_client) == 1


async def test_concurrent_commands_get_their_own_answers_on_a_bounded_number_of_connections(
    redis_client: RedisClient,
) -> None:
    answers = await asyncio.gather(*(echo(redis_client, str(n)) for n in range(50)))
    assert answers == [b"%d" % n for n in range(50)]
    # As many the short way, and as many of the pool's own for those beyond.
    assert await connections(redis_client) <= 2 * CONNECTIONS


async def test_a_cancelled_command_leaves_no_answer_to_the_next(redis_client: RedisClient) -> None:
    for _ in range(3):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await redis_client.redis.blpop(["nothing"], timeout=1)
        assert await echo(redis_client, "mine") == b"mine"


async def test_an_error_reply_keeps_the_connection(redis_client: RedisClient) -> None:
    await redis_client.redis.set("text", "no list")
    for _ in range(3):
        with pytest.raises(ResponseError):
            await redis_client.redis.lpush("text", "one more")
    assert await echo(redis_client, "then") == b"then"
    assert await connections(redis_client) == 1


async def test_an_idle_connection_that_was_closed_is_replaced(redis_client: RedisClient, empty_redis_url: str) -> None:
    await echo(redis_client, "first")
    other = RedisClient(empty_redis_url)
    try:
        await other.redis.client_kill_filter(skipme=True, _type="normal")
    finally:
        await other.close()
    await asyncio.sleep(0.05)
    assert await echo(redis_client, "again") == b"again"


async def test_a_connection_closed_during_a_command_fails_only_that_command(redis_client: RedisClient) -> None:
    waiting = asyncio.create_task(redis_client.call(lambda redis: redis.blpop(["nothing"], timeout=1), deadline=5))
    await asyncio.sleep(0.05)
    await redis_client.redis.client_kill_filter(skipme=True, _type="normal")
    with pytest.raises(RedisUnavailable):
        await waiting
    assert await echo(redis_client, "again") == b"again"


async def test_one_failed_call_replaces_all_dead_idle_connections(redis_client: RedisClient) -> None:
    await asyncio.gather(*(echo(redis_client, str(n)) for n in range(CONNECTIONS)))
    assert len(redis_client.redis._idle) == CONNECTIONS
    for connection in redis_client.redis._idle:
        # As after a reset, or when the server is silent: no end of the stream can be read.
        assert connection._reader is not None
        connection._reader.set_exception(ConnectionResetError(104, "reset"))
    with pytest.raises(RedisUnavailable):
        await echo(redis_client, "lost")
    assert await echo(redis_client, "again") == b"again"


async def test_a_command_that_ends_after_close_leaves_no_connection(empty_redis_url: str) -> None:
    redis_client = RedisClient(empty_redis_url)
    waiting = asyncio.create_task(redis_client.call(lambda redis: redis.blpop(["nothing"], timeout=0.2), deadline=2))
    await asyncio.sleep(0.05)
    await redis_client.close()
    await waiting
    assert [connection.is_connected for connection in redis_client.redis._idle] == [False]
