"""Snapshot + events = fresh read: clients that only apply the frames they receive end with the database's state.

Two processes, writers on both, a third of all publishes lost, some processes "killed" after COMMIT, batches out of
order, members coming and going, sockets that drop and resume. Seeded: a failure names its seed.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from functools import partial
from typing import Any
from uuid import UUID

import msgspec
import pytest

from app.domain.conversations import admin_role, groups, members
from app.domain.errors import ChatError
from app.domain.events import Outgoing
from app.domain.messages import edit
from app.domain.messages.changes import changes_after
from app.domain.users.caller import Caller
from tests.support.nodes import Json, Listener, Node, eventually
from tests.support.scene import Scene, set_up

Nodes = tuple[Node, Node]
EVENTS = ("message.", "member.", "conversation.")


class Replica:
    """A client: what it knows of one conversation, from frames alone."""

    def __init__(self, caller: Caller, conversation: UUID) -> None:
        self.caller = caller
        self.conversation = str(conversation)
        self.position: int | None = None
        self.begun = 0
        self.resuming = False
        self.rows: dict[str, Any] = {}
        self.listener: Listener | None = None
        self._applied = 0

    def __repr__(self) -> str:
        received = [(f["type"], f.get("position")) for f in self.listener.frames[-8:]] if self.listener else None
        return f"{self.caller.user} at {self.position}, resuming {self.resuming}, told {received}"

    async def connect(self, node: Node) -> None:
        self.listener = await node.open(headers={"Authorization": f"Bearer {node.access(self.caller)}"})
        self._applied = 0
        self.resuming = self.position is not None
        if self.resuming:
            await self.listener.say("resume", conversations={self.conversation: self.position}, ref="back")

    async def drop(self) -> None:
        if self.listener is not None:
            self.apply()
            await self.listener.close()
            self.apply()
            self.listener = None

    def apply(self) -> None:
        """Applies the frames received since the last call."""
        assert self.listener is not None
        for frame in self.listener.frames[self._applied :]:
            self._take(frame)
        self._applied = len(self.listener.frames)

    def _take(self, frame: Json) -> None:
        kind = frame["type"]
        if kind == "hello":
            mine = [line for line in frame["conversations"] if line["id"] == self.conversation]
            if self.position is None and mine:
                self.position = self.begun = mine[0]["position"]
        elif kind == "caught_up":
            self.resuming = False
        elif frame.get("conversation") != self.conversation:
            return
        elif kind == "access.revoked":
            self.position, self.resuming = None, False
            self.rows.clear()
        elif kind == "conversation.created":
            # Nothing of before is trusted: what one has seen as a member now begins here.
            self.position = self.begun = frame["position"]
            self.resuming = False
            self.rows.clear()
        elif kind.startswith(EVENTS):
            self._event(frame)

    def _event(self, frame: Json) -> None:
        assert self.position is not None, f"{self.caller.user} was told {frame} without access"
        if frame["position"] <= self.position:
            return  # delivered live before the resume took effect, which repeated it
        if self.resuming and frame["prev"] > self.position:
            return  # delivered live before the resume took effect, which will bring it
        assert frame["prev"] <= self.position, f"a gap: at {self.position}, told {frame}"
        self.position = frame["position"]
        self.rows[_key(frame["type"], frame["data"])] = (frame["position"], frame["data"])


def _key(kind: str, data: Json) -> str:
    if kind.startswith("message."):
        return str(data["seq"])
    return str(data["user"]["id"]) if kind.startswith("member.") else "itself"


class Weather:
    """What happens to the events of a node after COMMIT."""

    def __init__(self, node: Node, dice: random.Random) -> None:
        self.node = node
        self.dice = dice
        self.late: list[list[Outgoing]] = []
        self.fair = False

    async def __call__(self, events: list[Outgoing]) -> None:
        fate = 1.0 if self.fair else self.dice.random()
        if fate < 0.1:
            await self.node.killed(events)
        elif fate < 0.4:
            await self.node.mute(events)
        elif fate < 0.6:
            self.late.append(events)
        else:
            await self.node.bus.publish(events)
            late, self.late = self.late, []
            for held in reversed(late):
                await self.node.bus.publish(held)


async def act(node: Node, scene: Scene, dice: random.Random) -> None:
    """Performs one random action."""
    conversation, ada = scene.conversation, scene.ada
    match dice.randrange(12):
        case 0:
            await node.do(members.remove, conversation, ada.user, scene.linus.user)
        case 1 | 2:
            await node.do(members.add, conversation, ada.user, scene.linus.user)
        case 3:
            await node.do(admin_role.remove_admin, conversation, ada.user, scene.grace.user)
        case 4:
            await node.do(admin_role.make_admin, conversation, ada.user, scene.grace.user)
        case 5:
            await node.do(groups.change, conversation, ada.user, name=f"Name {dice.randrange(99)}")
        case 6:
            await node.do(members.leave, conversation, scene.linus.user)
        case 7 | 8:
            message = await node.send(conversation, ada, "to be edited")
            await node.do(edit.edit, conversation, message.id, ada, text="edited")
            if dice.random() < 0.5:
                await node.do(edit.delete, conversation, message.id, ada)
        case _:
            await node.send(conversation, dice.choice([ada, scene.grace, scene.linus]), str(dice.random()))


async def act_on(node: Node, scene: Scene, dice: random.Random, count: int) -> None:
    for _ in range(count):
        with suppress(ChatError):
            await act(node, scene, dice)
        await asyncio.sleep(dice.random() * 0.02)


async def flap(replica: Replica, nodes: Nodes, dice: random.Random, done: asyncio.Event) -> None:
    """Drop and come back, anywhere, again and again; then stay."""
    while not done.is_set():
        await asyncio.sleep(dice.random() * 0.4)
        await replica.drop()
        await asyncio.sleep(dice.random() * 0.2)
        await replica.connect(dice.choice(nodes))
        await asyncio.sleep(dice.random() * 0.3)
        replica.apply()


@pytest.mark.parametrize("seed", [1, 2])
async def test_a_client_that_applies_every_event_converges_to_the_database(nodes: Nodes, seed: int) -> None:
    dice = random.Random(seed)
    scene = await set_up(nodes[0].database)
    weather = [Weather(node, random.Random(seed * 10 + n)) for n, node in enumerate(nodes)]
    for node, rain in zip(nodes, weather, strict=True):
        node.hand_over = rain
    steady = [Replica(caller, scene.conversation) for caller in (scene.ada, scene.grace, scene.linus) for _ in nodes]
    for replica, node in zip(steady, nodes * 3, strict=True):
        await replica.connect(node)
    restless = [Replica(caller, scene.conversation) for caller in (scene.ada, scene.linus)]
    for replica in restless:
        await replica.connect(nodes[0])
    done = asyncio.Event()
    flapping = [
        asyncio.create_task(flap(replica, nodes, random.Random(seed * 100 + n), done))
        for n, replica in enumerate(restless)
    ]
    await asyncio.gather(*(act_on(node, scene, random.Random(dice.random()), 80) for node in nodes))
    done.set()
    await asyncio.gather(*flapping)
    for rain in weather:
        rain.fair = True
    last = await nodes[0].send(scene.conversation, scene.ada, "the last one")
    truth = await _truth(nodes[0], scene)
    position = max(place for place, _ in truth.values())
    assert position == last.position
    for replica in steady + restless:
        is_member = truth[str(replica.caller.user)][1]["left_at"] is None
        wanted = position if is_member else None
        try:
            await eventually(partial(_stands, replica, wanted))
        except AssertionError as error:
            raise AssertionError(f"{replica} should stand at {wanted}") from error
        expected = {key: row for key, row in truth.items() if is_member and row[0] > replica.begun}
        assert replica.rows.keys() == expected.keys()
        for key, (place, data) in replica.rows.items():
            assert (place, _lasting(data)) == (expected[key][0], _lasting(expected[key][1])), key


def _stands(replica: Replica, position: int | None) -> bool:
    replica.apply()
    return replica.position == position


async def _truth(node: Node, scene: Scene) -> dict[str, tuple[int, Json]]:
    changes = await node.do(changes_after, scene.conversation, 0, 10_000)
    assert changes.complete
    rows = [(change.type, change.position, msgspec.json.decode(change.data)) for change in changes.items]
    return {_key(kind, data): (position, data) for kind, position, data in rows}


def _lasting(data: Json) -> Json:
    """Without read marks of others, which may be lost, and the time of the latest activity."""
    passing = {"read_seq", "updated_at"} if "seq" not in data else set()
    return {name: value for name, value in data.items() if name not in passing}
