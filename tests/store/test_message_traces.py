"""Whether the cache holds a traced message is its own answer."""

from __future__ import annotations

from uuid import UUID

import pytest
from redis.asyncio import Redis

from app.domain.messages import edit
from app.domain.operators.schemas import MessageTrace
from app.redis.client import RedisClient
from app.store.message_traces import MessageTraces
from app.store.page_cache import PageCache, key_of
from tests.support.nodes import Node
from tests.support.scene import Scene, set_up


async def traced(node: Node, message: UUID, redis: RedisClient) -> MessageTrace:
    async with node.database.transaction() as session:
        traces = MessageTraces(redis, PageCache())
        return await traces.trace(session, None, message, conversation=None, limit=50, cursor=None)


@pytest.fixture
async def stage(node: Node) -> Scene:
    return await set_up(node.database)


async def test_a_cached_message_is_held_until_the_cache_is_lost(
    node: Node, stage: Scene, redis_client: RedisClient
) -> None:
    message = await node.send(stage.conversation, stage.ada)
    found = await traced(node, message.id, redis_client)
    assert (found.cached, found.seq) == ("held", 1)

    async def flush(redis: Redis) -> None:
        await redis.delete(key_of(stage.conversation))

    await redis_client.call(flush)
    assert (await traced(node, message.id, redis_client)).cached == "missing"


async def test_a_lost_cache_write_of_an_edit_is_unproven(node: Node, stage: Scene, redis_client: RedisClient) -> None:
    message = await node.send(stage.conversation, stage.ada)
    node.hand_over = node.killed
    await node.do(edit.edit, stage.conversation, message.id, stage.ada, text="changed")
    assert (await traced(node, message.id, redis_client)).cached == "unproven"


async def test_without_redis_the_rest_of_the_trace_is_shown(node: Node, stage: Scene) -> None:
    message = await node.send(stage.conversation, stage.ada)
    gone = RedisClient("redis://127.0.0.1:1/0")
    found = await traced(node, message.id, gone)
    assert (found.cached, found.seq, found.recipients) == ("away", 1, 2)
    await gone.close()
