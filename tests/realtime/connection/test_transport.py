"""Where another server than ours runs the application, sockets are served over plain ASGI, by the same rules."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from app.domain.auth import refresh
from app.domain.users.models import LoginSession
from app.realtime.connection.transport import AsgiTransport
from app.realtime.frames.frame_encoder import Frame, payloads_of
from tests.support.nodes import Node
from tests.support.scene import set_up


@pytest.fixture
async def plain(database_url: str, redis_url: str) -> AsyncIterator[Node]:
    node = Node(database_url, redis_url)
    node.server = "websockets-sansio"
    async with node.running():
        yield node


async def test_messages_are_delivered_in_order_and_sends_are_acknowledged(plain: Node) -> None:
    scene = await set_up(plain.database)
    ada, linus = await plain.join(scene.ada), await plain.join(scene.linus)
    assert isinstance(plain.sockets(scene.ada)[0]._transport, AsgiTransport)
    for number in range(5):
        await ada.say("send", conversation=str(scene.conversation), message_type="text", text=f"é{number}", ref=number)
    await ada.next("ack", ref=4)
    await linus.next("message.created", position=9)
    assert [frame["data"]["text"] for frame in linus.received("message.created")] == ["é0", "é1", "é2", "é3", "é4"]


@pytest.mark.parametrize("length", [0, 1, 125, 126, 65_535, 65_536])
def test_a_frame_arrives_with_its_payload(length: int) -> None:
    data = b"x" * length
    assert payloads_of(Frame(data).wire) == [data]
    assert payloads_of(Frame(b"first", data, b"last").wire) == [b"first", data, b"last"]


async def test_close_codes_are_the_same(plain: Node) -> None:
    scene = await set_up(plain.database)
    ada, linus = await plain.join(scene.ada), await plain.join(scene.linus)
    await plain.do(refresh.end_logins, LoginSession.id == scene.ada.session)
    assert await ada.closed() == 4401
    assert await (await plain.open()).closed() == 4401
    await plain.live.drain()
    assert await linus.closed() == 1012
    assert (ada.socket.close_reason, linus.socket.close_reason) == ("not_authenticated", "restarting")
