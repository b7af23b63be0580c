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


async def test_commands_one_after_another_share_a_connection(redis_client: RedisClient) -> None:
    assert [await echo(redis_client, str(n)) for n in range(20)] == [b"%d" % n for n in range(20)]
    assert await connections(redis_client) == 1


async def test_many_at_once_get_their_own_answers_on_bounded_connections(redis_client: RedisClient) -> None:
    answers = await asyncio.gather(*(echo(redis_client, str(n)) for n in range(50)))
    assert answers == [b"%d" % n for n in range(50)]
    # As many the short way, and as many of the pool's own for those beyond.
    assert await connections(redis_client) <= 2 * CONNECTIONS


async def test_whoever_gives_up_leaves_no_answer_to_the_next(redis_client: RedisClient) -> None:
    for _ in range(3):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await redis_client.redis.blpop(["nothing"], timeout=1)
        assert await echo(redis_client, "mine") == b"mine"


async def test_a_refusal_is_an_answer(redis_client: RedisClient) -> None:
    await redis_client.redis.set("text", "no list")
    for _ in range(3):
        with pytest.raises(ResponseError):
            await redis_client.redis.lpush("text", "one more")
    assert await echo(redis_client, "then") == b"then"
    assert await connections(redis_client) == 1


async def test_a_connection_that_ended_while_it_waited_is_replaced(
    redis_client: RedisClient, empty_redis_url: str
) -> None:
    await echo(redis_client, "first")
    other = RedisClient(empty_redis_url)
    try:
        await other.redis.client_kill_filter(skipme=True, _type="normal")
    finally:
        await other.close()
    await asyncio.sleep(0.05)
    assert await echo(redis_client, "again") == b"again"


async def test_one_that_ends_under_a_command_is_away_and_the_next_is_not(redis_client: RedisClient) -> None:
    waiting = asyncio.create_task(redis_client.call(lambda redis: redis.blpop(["nothing"], timeout=1), deadline=5))
    await asyncio.sleep(0.05)
    await redis_client.redis.client_kill_filter(skipme=True, _type="normal")
    with pytest.raises(RedisUnavailable):
        await waiting
    assert await echo(redis_client, "again") == b"again"


async def test_when_all_that_wait_are_dead_one_call_finds_out(redis_client: RedisClient) -> None:
    await asyncio.gather(*(echo(redis_client, str(n)) for n in range(CONNECTIONS)))
    assert len(redis_client.redis._waiting) == CONNECTIONS
    for connection in redis_client.redis._waiting:
        # As after a reset, or where nothing answers any more: there is no end to be read.
        assert connection._reader is not None
        connection._reader.set_exception(ConnectionResetError(104, "reset"))
    with pytest.raises(RedisUnavailable):
        await echo(redis_client, "lost")
    assert await echo(redis_client, "again") == b"again"


async def test_what_ends_after_the_close_leaves_no_connection(empty_redis_url: str) -> None:
    redis_client = RedisClient(empty_redis_url)
    waiting = asyncio.create_task(redis_client.call(lambda redis: redis.blpop(["nothing"], timeout=0.2), deadline=2))
    await asyncio.sleep(0.05)
    await redis_client.close()
    await waiting
    assert [connection.is_connected for connection in redis_client.redis._waiting] == [False]
