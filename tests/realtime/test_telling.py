from __future__ import annotations

import asyncio
from uuid import UUID

import msgspec

from app.domain.conversations import groups, members, reading
from app.domain.events import Change, Outgoing
from app.domain.messages import editing
from tests.realtime.conftest import Node, eventually
from tests.support.scene import set_up


async def test_hello_comes_first_and_lists_the_conversations(node: Node) -> None:
    scene = await set_up(node.database)
    await node.send(scene.conversation, scene.ada, "x" * 300)
    ada = await node.join(scene.ada)
    hello = ada.frames[0]
    assert hello["type"] == "hello"
    assert hello["session"] == str(scene.ada.session)
    assert hello["user"] == str(scene.ada.user)
    assert hello["next"] is False
    (line,) = hello["conversations"]
    assert line["id"] == str(scene.conversation)
    assert line["last_message"]["text"] == "x" * 200
    await ada.quiet("message.created")


async def test_a_message_reaches_every_process_once_and_in_order(nodes: tuple[Node, Node]) -> None:
    here, there = nodes
    scene = await set_up(here.database)
    ada, linus, eve = await here.join(scene.ada), await there.join(scene.linus), await there.join(scene.eve)
    for number in range(10):
        await (here if number % 2 else there).send(scene.conversation, scene.ada, f"message {number}")
    for listener in (ada, linus):
        await listener.next("message.created", position=14)
        told = listener.told("message.created")
        assert [frame["data"]["text"] for frame in told] == [f"message {number}" for number in range(10)]
        assert [(frame["prev"], frame["position"]) for frame in told] == [(n, n + 1) for n in range(4, 14)]
    await eve.quiet("message.created")
