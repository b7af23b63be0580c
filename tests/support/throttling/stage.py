"""Two processes on a database of their own, where policies may be changed, and an operator who does it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import msgspec

from tests.support.client import Answer, Node, Person, Socket
from tests.support.operators import root
from tests.support.processes import Processes, processes
from tests.support.servers import public_directory

POLICIES = "/ops/throttle/policies/"
FIVE = "5/minute"


class Two(msgspec.Struct, frozen=True):
    """Two processes, and what starts more of their kind."""

    urls: list[str]
    started: Processes


class Stage(msgspec.Struct, frozen=True):
    """Two processes as clients see them, and root."""

    nodes: list[Node]
    operator: Person
    started: Processes

    @property
    def one(self) -> Node:
        return self.nodes[0]

    async def rate(self, policy: str, rate: str, user: Person | None = None) -> Answer:
        return await self.operator.call("PUT", where(policy, user), {"rate": rate})

    async def reset(self, policy: str, user: Person | None = None) -> None:
        (await self.operator.call("DELETE", where(policy, user))).good(204)

    async def policies(self) -> dict[str, dict[str, object]]:
        found = (await self.operator.get(POLICIES))["items"]
        return {one["policy"]: one for one in found}


def where(policy: str, user: Person | None = None) -> str:
    return f"{POLICIES}{policy}/" + (f"users/{user.id}/" if user else "")


@contextmanager
def two_processes(database_url: str, redis_url: str, **environment: str) -> Iterator[Two]:
    with public_directory() as directory, processes(directory, database_url, redis_url) as started:
        started.environment |= environment
        yield Two([one.url for one in started.apis({}, {})], started)


@asynccontextmanager
async def staged(two: Two, database_url: str) -> AsyncIterator[Stage]:
    nodes = [Node(url) for url in two.urls]
    try:
        yield Stage(nodes, await root(nodes[0], database_url), two.started)
    finally:
        for node in nodes:
            await node.close()


class Sender:
    """A user who sends to one conversation, to any process, over REST or a socket."""

    def __init__(self, person: Person, conversation: str) -> None:
        self.person = person
        self.conversation = conversation
        self.stored = 0

    @classmethod
    async def registered(cls, node: Node, name: str) -> Sender:
        person = await node.register(name)
        return cls(person, await person.converse())

    async def send(self, node: Node) -> Answer:
        answer = await self.person.at(node).say(self.conversation, "again")
        self.stored += answer.status == 201
        return answer

    async def allowed(self, node: Node) -> bool:
        answer = await self.send(node)
        assert answer.status in (201, 429), answer.content
        return answer.status == 201

    async def said(self, socket: Socket) -> bool:
        """The same over a socket: whether it was stored."""
        await socket.say("send", ref="send", conversation=self.conversation, message_type="text", text="again")
        frame = await socket.expect("ack", "throttled", ref="send")
        self.stored += frame["type"] == "ack"
        return bool(frame["type"] == "ack")

    async def fill(self, nodes: list[Node]) -> int:
        """Send until every process refuses, over REST and over a socket; how many were stored since the beginning."""
        for node in nodes:
            while await self.allowed(node):
                pass
            async with self.person.at(node).listening() as socket:
                assert not await self.said(socket)
        return self.stored
