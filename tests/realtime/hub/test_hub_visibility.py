"""A hidden direct conversation leaves its owner's sockets, and comes back with the next message, on every process."""

from __future__ import annotations

import asyncio
import random
from typing import Any
from uuid import UUID

import pytest

from app.domain.conversations import directs, hidden_conversations
from app.domain.inbox.snapshot import SnapshotRequest, newest
from app.domain.users.caller import Caller
from tests.support.nodes import Listener, Node, eventually
from tests.support.scene import Scene, set_up

Nodes = tuple[Node, Node]


@pytest.fixture
async def scene(node: Node) -> Scene:
    return await set_up(node.database)


async def direct(node: Node, one: Caller, other: Caller) -> UUID:
    conversation, _ = await node.do(directs.get_or_create, one.user, other.user)
    return conversation


async def listed(node: Node, who: Caller) -> set[str]:
    (lines,) = await node.do(newest, [SnapshotRequest(who.user, who.session)])
    return {str(line.id) for line in lines or ()}


async def test_hiding_reaches_all_own_sockets_and_the_next_message_restores_the_conversation_first(
    nodes: Nodes, scene: Scene
) -> None:
    one, two = nodes
    conversation = await direct(one, scene.eve, scene.linus)
    received: dict[str, Any] = {"conversation": str(conversation)}
    here, there, other = await one.join(scene.linus), await two.join(scene.linus), await one.join(scene.eve)
    await one.send(conversation, scene.eve, "first")
    await here.next("message.created", **received)
    await there.next("message.created", **received)
    await one.do(hidden_conversations.set_hidden, conversation, scene.linus.user, hidden=True)
    for socket in (here, there):
        assert (await socket.next("access.revoked", **received))["reason"] == "hidden"
    late = await two.join(scene.linus)
    assert [line["id"] for frame in late.received("hello") for line in frame["conversations"]] == [
        str(scene.conversation)
    ]
    await other.quiet("access.revoked")
    second = await one.send(conversation, scene.eve, "second")
    await one.send(conversation, scene.eve, "third")
    for socket in (here, there, late):
        given = await socket.next("conversation.created", "message.created", **received)
        assert (given["type"], given["prev"], given["data"]["peer"]["first_name"]) == ("conversation.created", 0, "Eve")
        assert given["position"] >= second.position
        last = given["data"]["last_message"]["text"]
        if last == "second":
            last = (await socket.next("message.created", **received))["data"]["text"]
        assert last == "third"
    assert len(other.received("conversation.created", "access.revoked")) == 0


async def test_a_hidden_conversation_returns_although_the_bus_loses_the_events(nodes: Nodes, scene: Scene) -> None:
    one, two = nodes
    conversation = await direct(one, scene.eve, scene.linus)
    received: dict[str, Any] = {"conversation": str(conversation)}
    there = await two.join(scene.linus)
    one.hand_over = one.mute
    await one.do(hidden_conversations.set_hidden, conversation, scene.linus.user, hidden=True)
    assert (await there.next("access.revoked", **received))["reason"] == "hidden"
    await one.send(conversation, scene.eve)
    assert (await there.next("conversation.created", **received))["data"]["unread"] == 1
    one.hand_over = one.killed
    await one.do(hidden_conversations.set_hidden, conversation, scene.linus.user, hidden=True)
    await there.next("access.revoked", **received)
    await one.do(hidden_conversations.set_hidden, conversation, scene.linus.user, hidden=False)
    await there.next("conversation.created", **received)


async def test_writing_in_a_hidden_conversation_restores_it(node: Node, scene: Scene) -> None:
    conversation = await direct(node, scene.eve, scene.linus)
    linus = await node.join(scene.linus)
    await node.do(hidden_conversations.set_hidden, conversation, scene.linus.user, hidden=True)
    await linus.next("access.revoked", conversation=str(conversation))
    await linus.say("send", conversation=str(conversation), message_type="text", text="back", ref=1)
    # The acknowledgement and the event come from different tasks, in either order.
    frames = [await linus.next("ack", "conversation.created") for _ in range(2)]
    (given,) = [frame["data"] for frame in frames if frame["type"] == "conversation.created"]
    assert (given["unread"], given["last_message"]["text"]) == (0, "back")


async def test_a_resume_of_a_hidden_conversation_receives_access_revoked(node: Node, scene: Scene) -> None:
    conversation = await direct(node, scene.eve, scene.linus)
    await node.do(hidden_conversations.set_hidden, conversation, scene.linus.user, hidden=True)
    linus = await node.join(scene.linus)
    await linus.say("resume", conversations={str(conversation): 1}, ref="back")
    assert (await linus.next("access.revoked", conversation=str(conversation)))["reason"] == "hidden"
    assert (await linus.next("caught_up", ref="back"))["positions"] == {}
    await node.send(conversation, scene.eve)
    await linus.next("conversation.created", conversation=str(conversation))


@pytest.mark.parametrize("seed", [1, 2])
async def test_sockets_converge_to_the_list_despite_concurrent_hiding_messages_and_resumes(
    nodes: Nodes, scene: Scene, seed: int
) -> None:
    """Hiding, showing, messages and resumes run concurrently; a third of one process's publishes is lost."""
    dice = random.Random(seed)
    conversation = await direct(nodes[0], scene.eve, scene.linus)
    sockets = [await node.join(scene.linus) for node in nodes]
    await asyncio.gather(
        _turning(nodes, scene, conversation, dice),
        _writing(nodes, scene, conversation, dice),
        _resuming(sockets, conversation, dice),
    )
    for node in nodes:
        node.hand_over = node.bus.publish
    is_listed = str(conversation) in await listed(nodes[0], scene.linus)

    def agreed() -> bool:
        hear = [_hears(node, scene, conversation) is is_listed for node in nodes]
        return all(hear) and all(_knows(socket, conversation) is is_listed for socket in sockets)

    await eventually(agreed)
    if is_listed:
        await nodes[0].send(conversation, scene.eve, "the last")
        for socket in sockets:
            await socket.next("message.created", conversation=str(conversation))


async def _turning(nodes: Nodes, scene: Scene, conversation: UUID, dice: random.Random) -> None:
    for _ in range(12):
        node = dice.choice(nodes)
        node.hand_over = dice.choice([node.mute, node.bus.publish, node.bus.publish])
        await node.do(hidden_conversations.set_hidden, conversation, scene.linus.user, hidden=dice.random() < 0.6)
        await asyncio.sleep(dice.random() / 20)


async def _writing(nodes: Nodes, scene: Scene, conversation: UUID, dice: random.Random) -> None:
    for number in range(12):
        await dice.choice(nodes).send(conversation, scene.eve, f"{number}")
        await asyncio.sleep(dice.random() / 20)


async def _resuming(sockets: list[Listener], conversation: UUID, dice: random.Random) -> None:
    for _ in range(6):
        await dice.choice(sockets).say("resume", conversations={str(conversation): 1})
        await asyncio.sleep(dice.random() / 10)


def _hears(node: Node, scene: Scene, conversation: UUID) -> bool:
    return all(conversation in socket.rooms for socket in node.sockets(scene.linus))


def _knows(socket: Listener, conversation: UUID) -> bool:
    """Returns whether a client that applies every frame holds the conversation."""
    known = False
    for frame in socket.frames:
        if frame["type"] in ("hello", "conversations"):
            known = known or str(conversation) in {line["id"] for line in frame["conversations"]}
        elif frame.get("conversation") == str(conversation):
            known = (known or frame["type"] == "conversation.created") and frame["type"] != "access.revoked"
    return known
