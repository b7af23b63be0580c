"""Events lost by Redis or a dying process are read again from Postgres, in log order."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from app.domain.auth import refresh
from app.domain.conversations import groups, members, read_cursors
from app.domain.errors import Unavailable
from app.domain.events import Outgoing
from app.domain.users.models import LoginSession
from app.local.valkey import EmbeddedValkey
from app.realtime.bus.bus import CHANNEL
from app.realtime.bus.envelope import encode_envelope
from app.realtime.hub.hub_queries import RecentChanges
from tests.support.nodes import Listener, Node, eventually
from tests.support.scene import set_up
from tests.support.servers import run_valkey

Nodes = tuple[Node, Node]


@pytest.fixture
async def valkey() -> AsyncIterator[EmbeddedValkey]:
    """A server that may be stopped."""
    with run_valkey() as server:
        yield server


@pytest.fixture
async def frail(database_url: str, valkey: EmbeddedValkey) -> AsyncIterator[Nodes]:
    """Two nodes on a Redis that may be stopped."""
    async with AsyncExitStack() as stack:
        both = (Node(database_url, valkey.url), Node(database_url, valkey.url))
        for node in both:
            await stack.enter_async_context(node.running())
        await eventually(lambda: all(node.bus.connected for node in both))
        yield both


def texts(listener: Listener) -> list[str]:
    return [frame["data"]["text"] for frame in listener.received("message.created")]


async def test_a_lost_message_is_delivered_before_the_next_one(nodes: Nodes) -> None:
    here, there = nodes
    scene = await set_up(here.database)
    linus = await there.join(scene.linus)
    here.hand_over = here.mute
    await here.send(scene.conversation, scene.ada, "lost")
    here.hand_over = here.bus.publish
    await here.send(scene.conversation, scene.ada, "heard")
    await linus.next("message.created", position=6)
    assert texts(linus) == ["lost", "heard"]
    assert [(f["prev"], f["position"]) for f in linus.received("message.created")] == [(4, 5), (5, 6)]


async def test_the_poll_finds_a_lost_message_that_no_event_follows(nodes: Nodes) -> None:
    here, there = nodes
    scene = await set_up(here.database)
    linus = await there.join(scene.linus)
    here.hand_over = here.mute
    await here.send(scene.conversation, scene.ada, "lost")
    await linus.next("message.created")


async def test_every_process_delivers_what_a_killed_process_committed(nodes: Nodes) -> None:
    here, there = nodes
    scene = await set_up(here.database)
    ada, linus = await here.join(scene.ada), await there.join(scene.linus)
    here.hand_over = here.killed
    await here.send(scene.conversation, scene.ada, "one")
    await here.send(scene.conversation, scene.ada, "two")
    for listener in (ada, linus):
        await listener.next("message.created", position=6)
        assert texts(listener) == ["one", "two"]


async def test_events_that_arrive_in_reverse_are_delivered_in_log_order(nodes: Nodes) -> None:
    here, there = nodes
    scene = await set_up(here.database)
    linus = await there.join(scene.linus)
    held: list[Outgoing] = []

    async def keep(events: list[Outgoing]) -> None:
        held.extend(events)

    here.hand_over = keep
    for number in range(5):
        await here.send(scene.conversation, scene.ada, str(number))
    await here.bus.publish(held[::-1])
    await linus.next("message.created", position=9)
    assert texts(linus) == ["0", "1", "2", "3", "4"]
    assert [f["prev"] for f in linus.received("message.created")] == [4, 5, 6, 7, 8]


async def test_an_event_received_twice_is_delivered_once(nodes: Nodes) -> None:
    here, there = nodes
    scene = await set_up(here.database)
    ada, linus = await here.join(scene.ada), await there.join(scene.linus)
    held: list[Outgoing] = []

    async def twice(events: list[Outgoing]) -> None:
        held.extend(events)
        await here.bus.publish(events)
        await here.bus.publish(events)

    here.hand_over = twice
    await here.send(scene.conversation, scene.ada, "first")
    # The same batch again as if from a third process, so that it is not this process's own echo.
    await here.redis_client.redis.publish(CHANNEL, encode_envelope(b"elsewher", held))
    await here.send(scene.conversation, scene.ada, "second")
    for listener in (ada, linus):
        await listener.next("message.created", position=6)
        assert texts(listener) == ["first", "second"]


async def test_the_poll_finds_an_added_member_whose_event_was_lost(nodes: Nodes) -> None:
    here, there = nodes
    scene = await set_up(here.database)
    eve = await there.join(scene.eve)
    here.hand_over = here.killed
    await here.do(members.add, scene.conversation, scene.ada.user, scene.eve.user)
    created = await eve.next("conversation.created")
    here.hand_over = here.bus.publish
    await here.send(scene.conversation, scene.ada, "hello eve")
    assert (await eve.next("message.created"))["prev"] == created["position"]
    assert len(eve.received("conversation.created")) == 1


async def test_a_removed_member_whose_event_was_lost_receives_nothing_after_two_seconds(nodes: Nodes) -> None:
    here, there = nodes
    scene = await set_up(here.database)
    linus = await there.join(scene.linus)
    here.hand_over = here.killed
    await here.do(members.remove, scene.conversation, scene.ada.user, scene.linus.user)
    removed = time.monotonic()
    await linus.next("member.removed")
    await linus.next("access.revoked")
    assert time.monotonic() - removed < 2
    here.hand_over = here.bus.publish
    await here.send(scene.conversation, scene.ada, "secret")
    await linus.quiet("message.created")
    assert texts(linus) == []


async def test_the_poll_finds_an_ended_login_whose_event_was_lost(nodes: Nodes) -> None:
    here, there = nodes
    scene = await set_up(here.database)
    linus, ada = await there.join(scene.linus), await there.join(scene.ada)
    here.hand_over = here.killed
    await here.do(refresh.end_logins, LoginSession.id == scene.linus.session)
    assert await linus.closed() == 4401
    await ada.quiet()


async def test_the_poll_finds_the_users_own_read_mark_whose_event_was_lost(nodes: Nodes) -> None:
    here, there = nodes
    scene = await set_up(here.database)
    message = await here.send(scene.conversation, scene.ada)
    linus, grace = await there.join(scene.linus), await there.join(scene.grace)
    here.hand_over = here.killed
    await here.do(read_cursors.read, scene.conversation, scene.linus.user, message.seq)
    assert (await linus.next("read"))["seq"] == message.seq
    await grace.quiet("read")
    assert grace.received("read") == []


async def test_a_process_whose_polls_fail_delivers_nothing_until_one_succeeds(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = nodes
    scene = await set_up(here.database)
    linus = await there.join(scene.linus)

    async def away(*_: object) -> RecentChanges:
        raise Unavailable

    with monkeypatch.context() as patch:
        patch.setattr(there.live.hub.reads, "recent_changes", away)
        await eventually(lambda: not there.live.hub.trusted)
        await here.do(members.remove, scene.conversation, scene.ada.user, scene.grace.user)
        await here.send(scene.conversation, scene.ada, "held")
        await linus.quiet("message.created", "member.removed")
        assert texts(linus) == []
    await linus.next("member.removed")
    await linus.next("message.created")


async def test_delivery_continues_while_redis_is_stopped_and_uses_the_bus_again_afterwards(
    frail: Nodes, valkey: EmbeddedValkey
) -> None:
    here, there = frail
    scene = await set_up(here.database)
    ada, linus, eve = await here.join(scene.ada), await there.join(scene.linus), await there.join(scene.eve)
    valkey.stop()
    await here.send(scene.conversation, scene.ada, "without redis")
    await ada.next("message.created")
    await linus.next("message.created")
    await here.do(members.add, scene.conversation, scene.ada.user, scene.eve.user)
    await eve.next("conversation.created")
    await eventually(lambda: not there.bus.connected)
    valkey.start()
    await eventually(lambda: here.bus.connected and there.bus.connected, 15)
    # Only the bus can be this fast: the look of `there` is stopped by now.
    await _stop_looking(there)
    await here.send(scene.conversation, scene.ada, "with redis")
    await linus.next("message.created", position=7)
    assert texts(linus) == ["without redis", "with redis"]


async def test_a_redis_that_does_not_answer_delays_no_message(frail: Nodes, valkey: EmbeddedValkey) -> None:
    here, there = frail
    scene = await set_up(here.database)
    linus = await there.join(scene.linus)
    assert valkey.process is not None
    os.kill(valkey.process.pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        await here.send(scene.conversation, scene.ada, "into silence")
        assert time.monotonic() - began < 2
        await linus.next("message.created")
        await eventually(lambda: not there.bus.connected, 15)
    finally:
        os.kill(valkey.process.pid, signal.SIGCONT)
    await eventually(lambda: here.bus.connected and there.bus.connected, 15)
    await _stop_looking(there)
    await here.send(scene.conversation, scene.ada, "heard again")
    await linus.next("message.created", position=6)


async def test_a_process_starts_and_stops_without_redis(database_url: str) -> None:
    node = Node(database_url, "redis://127.0.0.1:1/0")
    async with asyncio.timeout(20), node.running():
        scene = await set_up(node.database)
        ada = await node.join(scene.ada)
        await ada.say("send", conversation=str(scene.conversation), message_type="text", text="alone", ref="a")
        assert (await ada.next("ack", ref="a"))["data"]["text"] == "alone"
        await node.do(groups.create, scene.ada.user, "Also alone")
        await ada.next("conversation.created")


async def test_sockets_opened_during_writes_receive_each_message_once(nodes: Nodes) -> None:
    here = nodes[0]
    scene = await set_up(here.database)
    writing = True

    async def write(node: Node) -> None:
        while writing:
            await node.send(scene.conversation, scene.ada)
            await asyncio.sleep(0.001)

    writers = [asyncio.create_task(write(node)) for node in nodes]
    listeners = [await node.join(caller) for _ in range(8) for node in nodes for caller in (scene.grace, scene.linus)]
    await asyncio.sleep(0.2)
    writing = False
    await asyncio.gather(*writers)
    last = await here.send(scene.conversation, scene.ada, "last")
    for listener in listeners:
        await listener.next("message.created", position=last.position)
        at = listener.frames[0]["conversations"][0]["position"]
        for frame in listener.received("message.created"):
            assert (frame["prev"], frame["position"]) == (at, at + 1)
            at += 1


async def _stop_looking(node: Node) -> None:
    """Stops polling; the last poll counts as recent for another minute."""
    for task in node.live._tasks:
        task.cancel()
    node.live.hub.polled_at = time.monotonic() + 60
