"""A client that does not read costs a bounded amount and delays no other."""

from __future__ import annotations

from contextlib import suppress

import msgspec
import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from app.domain.conversations import read_cursors
from app.realtime.connection.connection import MAX_QUEUED_BYTES, MAX_QUEUED_FRAMES, Connection
from tests.support.nodes import Json, Node, eventually
from tests.support.scene import Scene, set_up


async def only_socket(node: Node, scene: Scene) -> Connection:
    await eventually(lambda: [one for one in node.sockets(scene.linus) if one.settled])
    return node.sockets(scene.linus)[0]


async def read_all(socket: ClientConnection) -> list[Json]:
    frames: list[Json] = []
    with suppress(ConnectionClosed):
        while True:
            frames.append(msgspec.json.decode(await socket.recv()))
    return frames


async def fill(node: Node, scene: Scene, connection: Connection, size: int) -> None:
    """Send until more than `size` bytes wait for `connection`."""
    while connection.queued[1] <= size and connection.close_code is None:
        await node.send(scene.conversation, scene.ada, "x" * 8_000)


async def test_a_socket_that_stops_reading_is_closed_and_the_others_receive_everything(node: Node) -> None:
    scene = await set_up(node.database)
    grace = await node.join(scene.grace)
    idle = await node.open_idle(scene.linus)
    connection = await only_socket(node, scene)
    sent = 0
    while connection.close_code is None:
        sent = (await node.send(scene.conversation, scene.ada, "x" * 8_000)).seq
        frames, size = connection.queued
        assert size <= MAX_QUEUED_BYTES
        assert frames <= MAX_QUEUED_FRAMES
        assert sent < 1_000, "the queue has no end"
    await grace.next("message.created", position=sent + 4)
    await eventually(lambda: not node.sockets(scene.linus))
    received = await read_all(idle)
    assert idle.close_code == 4408
    assert len(received) < sent
    again = await node.join(scene.linus)
    await again.say("resume", conversations={str(scene.conversation): received[-1]["position"]}, ref="back")
    await again.next("caught_up", ref="back")
    assert [one["seq"] for one in (f["data"] for f in again.received("message.created"))] == list(
        range(received[-1]["data"]["seq"] + 1, sent + 1)
    )


async def test_many_small_unread_frames_exceed_the_limit(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.realtime.connection.connection.MAX_QUEUED_FRAMES", 50)
    scene = await set_up(node.database)
    idle = await node.open_idle(scene.linus)
    connection = await only_socket(node, scene)
    await fill(node, scene, connection, 0)
    for _ in range(50):
        assert connection.close_code is None
        await node.send(scene.conversation, scene.ada, "x")
    assert connection.close_code == 4408
    await read_all(idle)
    assert idle.close_code == 4408


async def test_a_transport_that_accepts_nothing_for_too_long_is_closed(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.realtime.connection.connection.STUCK_SECONDS", 1.0)
    scene = await set_up(node.database)
    idle = await node.open_idle(scene.linus)
    connection = await only_socket(node, scene)
    await fill(node, scene, connection, 0)
    await eventually(lambda: connection.close_code)
    await read_all(idle)
    assert idle.close_code == 4408


async def test_a_reader_that_pauses_receives_the_newest_read_mark_and_no_stale_typing(node: Node) -> None:
    scene = await set_up(node.database)
    grace = await node.join(scene.grace)
    idle = await node.open_idle(scene.linus)
    connection = await only_socket(node, scene)
    await fill(node, scene, connection, MAX_QUEUED_BYTES // 2)
    last = (await node.send(scene.conversation, scene.ada, "last")).seq
    for seq in range(1, last + 1):
        await node.do(read_cursors.read, scene.conversation, scene.grace.user, seq)
    await grace.say("typing", conversation=str(scene.conversation))
    await grace.quiet()
    last = (await node.send(scene.conversation, scene.ada, "the very last")).seq
    assert connection.close_code is None
    frames: list[Json] = []
    while not frames or frames[-1].get("data", {}).get("seq") != last:
        frames.append(msgspec.json.decode(await idle.recv()))
    created = [frame["data"]["seq"] for frame in frames if frame["type"] == "message.created"]
    assert created == list(range(1, last + 1))
    assert [frame["seq"] for frame in frames if frame["type"] == "read"] == [last - 1]
    assert [frame for frame in frames if frame["type"] == "typing"] == []
    await grace.say("typing", conversation=str(scene.conversation))
    assert msgspec.json.decode(await idle.recv())["type"] == "typing"
    await idle.close()


async def test_typing_gives_way_to_messages(node: Node) -> None:
    scene = await set_up(node.database)
    grace = await node.join(scene.grace)
    idle = await node.open_idle(scene.linus)
    connection = await only_socket(node, scene)
    await fill(node, scene, connection, 0)
    for _ in range(20):
        await grace.say("typing", conversation=str(scene.conversation))
    await grace.quiet()
    waiting = connection.queued[0]
    await fill(node, scene, connection, MAX_QUEUED_BYTES)
    await read_all(idle)
    assert waiting > 20
    assert idle.close_code == 4408


async def test_a_long_catch_up_waits_for_its_reader(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = await set_up(node.database)
    for _ in range(300):
        await node.send(scene.conversation, scene.ada, "x" * 8_000)
    idle = await node.open_idle(scene.linus)
    connection = await only_socket(node, scene)
    await idle.send(msgspec.json.encode({"type": "resume", "conversations": {str(scene.conversation): 4}}).decode())
    frames: list[Json] = []
    while not frames or frames[-1]["type"] != "caught_up":
        frames.append(msgspec.json.decode(await idle.recv()))
        assert connection.queued[1] <= MAX_QUEUED_BYTES
    assert [frame["data"]["seq"] for frame in frames if frame["type"] == "message.created"] == list(range(1, 301))
    await idle.close()
