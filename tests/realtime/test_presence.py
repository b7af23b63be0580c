"""Presence reaches those who may see it, ends after a crash, and is unknown without Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from uuid import uuid4

import pytest

from app.domain.conversations.models import Conversation
from app.realtime import presence
from app.realtime.presence import Presence, find_online
from app.redis.client import RedisClient
from tests.support.nodes import PATIENCE, Node, eventually
from tests.support.scene import set_up

Nodes = tuple[Node, Node]


@pytest.fixture
async def nodes(database_url: str, empty_redis_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Nodes]:
    """Two processes with short presence intervals, on a Redis whose data has been complete for long.

    They have their own keys: a process of another test would make every user unknown for one heartbeat interval.
    """
    own_keys = f"{empty_redis_url.removesuffix('/0')}/1"
    monkeypatch.setattr(presence, "TICK_SECONDS", 0.05)
    monkeypatch.setattr(presence, "HEARTBEAT_SECONDS", 0.2)
    monkeypatch.setattr(presence, "LINGER_SECONDS", 0.3)
    monkeypatch.setattr(presence, "EMPTY_SECONDS", 0)
    # One late answer on a busy machine would make presence unknown for two minutes.
    monkeypatch.setattr(presence, "UNKNOWN_SECONDS", 1)
    async with AsyncExitStack() as stack:
        both = (Node(database_url, own_keys), Node(database_url, own_keys))
        for node in both:
            await stack.enter_async_context(node.running())
        await eventually(lambda: all(node.bus.connected for node in both))
        yield both


async def test_coming_online_and_going_offline_reach_the_others_once(nodes: Nodes) -> None:
    here, there = nodes
    scene = await set_up(here.database)
    grace, eve = await there.join(scene.grace), await there.join(scene.eve)
    phone = await here.join(scene.ada)
    came = await grace.next("presence", user=str(scene.ada.user))
    assert came == {
        "type": "presence",
        "conversation": str(scene.conversation),
        "user": str(scene.ada.user),
        "online": True,
    }
    desk = await there.join(scene.ada)
    await phone.close()
    await eventually(lambda: not here.live.presence._online)
    assert len([f for f in grace.received("presence") if f["user"] == str(scene.ada.user)]) == 1
    await desk.close()
    assert (await grace.next("presence", user=str(scene.ada.user)))["online"] is False
    await eve.quiet("presence")
    assert eve.received("presence") == []


async def test_a_user_who_reconnects_at_once_stays_online(nodes: Nodes) -> None:
    here, there = nodes
    scene = await set_up(here.database)
    grace = await there.join(scene.grace)
    ada = await here.join(scene.ada)
    await grace.next("presence", user=str(scene.ada.user), online=True)
    await ada.close()
    again = await here.join(scene.ada)
    beats = here.live.presence._last_heartbeat
    await eventually(lambda: here.live.presence._last_heartbeat > beats + 0.5)
    await grace.quiet("presence")
    await again.quiet()
    assert [f["online"] for f in grace.received("presence") if f["user"] == str(scene.ada.user)] == [True]


async def test_a_large_conversation_delivers_no_presence(nodes: Nodes) -> None:
    here, there = nodes
    scene = await set_up(here.database)
    async with here.database.transaction() as session:
        (await session.get_one(Conversation, scene.conversation)).member_count = 201
    grace = await there.join(scene.grace)
    ada = await here.join(scene.ada)
    await eventually(lambda: not here.live.presence._arrivals)
    await grace.quiet("presence")
    assert grace.received("presence") == []
    # Presence is unknown until the first heartbeat: a later request returns it, and still no event is sent.
    data: dict[str, list[str] | None] = {}
    for ref in range(1, 101):
        await ada.say("presence", conversation=str(scene.conversation), ref=ref)
        data = (await ada.next("ack", ref=ref))["data"]
        if data["online"] is not None:
            break
        await asyncio.sleep(0.1)
    assert data == {"online": []}


async def test_members_can_query_presence_and_outsiders_cannot(nodes: Nodes) -> None:
    here, there = nodes
    scene = await set_up(here.database)
    ada, eve = await here.join(scene.ada), await here.join(scene.eve)
    await there.join(scene.linus)
    await eventually(lambda: not here.live.presence._arrivals and not there.live.presence._arrivals)
    await ada.say("presence", conversation=str(scene.conversation), ref=1)
    assert set((await ada.next("ack", ref=1))["data"]["online"]) == {str(scene.ada.user), str(scene.linus.user)}
    await eve.say("presence", conversation=str(scene.conversation), ref=2)
    assert (await eve.next("error", ref=2))["code"] == "not_found"


async def test_users_of_a_dead_process_go_offline(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "DEAD_SECONDS", 1)
    here, there = nodes
    scene = await set_up(here.database)
    grace = await there.join(scene.grace)
    await here.join(scene.ada)
    await grace.next("presence", user=str(scene.ada.user), online=True)
    # Killed: it sends no further heartbeats and does not announce its end.
    for task in here.live._tasks:
        task.cancel()
    assert (await grace.next("presence", user=str(scene.ada.user)))["online"] is False
    assert await find_online(there.redis_client, [scene.ada.user, scene.grace.user]) == {scene.grace.user}


async def test_presence_is_restored_after_a_flush_of_redis(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "EMPTY_SECONDS", 2)
    here, there = nodes
    scene = await set_up(here.database)
    grace = await there.join(scene.grace)
    await here.join(scene.ada)
    await grace.next("presence", user=str(scene.ada.user), online=True)
    received = len(grace.received("presence"))
    await here.redis_client.redis.flushall()
    async with asyncio.timeout(10):
        while (known := await find_online(here.redis_client, [scene.ada.user, scene.grace.user])) is None:
            await here.live.presence.tick()
    assert known == {scene.ada.user, scene.grace.user}
    await grace.quiet("presence")
    assert len(grace.received("presence")) == received


async def test_no_user_counts_as_absent_while_redis_is_away(
    database_url: str, empty_redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "EMPTY_SECONDS", 0)
    # These processes tick only when the test makes them: a late response would also make presence unknown.
    node = Node(database_url, f"{empty_redis_url.removesuffix('/0')}/1")
    nowhere = RedisClient("redis://127.0.0.1:1/0")
    steady = Presence(node.redis_client, node.database, node.bus.publish, "steady")
    cut_off = Presence(nowhere, node.database, node.bus.publish, "cut off")
    async with asyncio.timeout(PATIENCE):
        while await find_online(node.redis_client, [uuid4()]) is None:
            await steady.tick()
    assert await find_online(nowhere, [uuid4()]) is None
    await cut_off.tick()
    cut_off._redis = node.redis_client
    async with asyncio.timeout(PATIENCE):
        while cut_off._was_unavailable:
            await cut_off.tick()
    assert await find_online(node.redis_client, [uuid4()]) is None
    for one in (nowhere, node.redis_client):
        await one.close()


async def test_presence_in_an_empty_redis_is_unknown(empty_redis_url: str) -> None:
    redis_client = RedisClient(empty_redis_url)
    assert await find_online(redis_client, [uuid4()]) is None
    await redis_client.close()
