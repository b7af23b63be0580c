"""API processes whose way to Postgres and Redis can be broken, and a Valkey of their own, which may be stopped."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from functools import partial
from typing import Literal

import msgspec
import pytest

from app.local.valkey import EmbeddedValkey
from tests.support.client import Node, eventually
from tests.support.processes import Api, Processes, processes
from tests.support.proxy import Proxy
from tests.support.servers import public_directory, run_valkey
from tests.support.wires import Losses, PostgresWire, RedisWire, Trap

How = Literal["stopped", "silent"]


class Breakable(msgspec.Struct, frozen=True):
    """Two API processes. `trap` is set in the first one's way to Postgres, `losses` in its way to Redis."""

    one: Api
    two: Api
    trap: Trap
    losses: Losses
    ways_to_redis: tuple[Proxy, Proxy]


class Nodes(msgspec.Struct, frozen=True):
    """The same two as clients see them."""

    one: Node
    two: Node


@pytest.fixture(scope="session")
def valkey() -> Iterator[EmbeddedValkey]:
    """One that tests here may stop and start again."""
    with run_valkey() as own:
        yield own


@pytest.fixture(scope="session")
def started(database_url: str, valkey: EmbeddedValkey) -> Iterator[Processes]:
    """Where processes are started from, on this run's Postgres and the Valkey of these tests."""
    with public_directory() as directory, processes(directory, database_url, valkey.url) as found:
        yield found


@pytest.fixture(scope="session")
def breakable(started: Processes, database_url: str, valkey: EmbeddedValkey) -> Iterator[Breakable]:
    trap, losses = Trap(), Losses()
    postgres = Proxy(database_url, lambda: PostgresWire(trap))
    ways = (Proxy(valkey.url, lambda: RedisWire(losses)), Proxy(valkey.url))
    with ExitStack() as stack:
        for proxy in (postgres, *ways):
            proxy.start()
            stack.callback(proxy.stop)
        one, two = started.apis(
            {"DATABASE_URL": postgres.through, "REDIS_URL": ways[0].through}, {"REDIS_URL": ways[1].through}
        )
        yield Breakable(one, two, trap, losses, ways)
        started.end()  # before the ways they use are gone


@pytest.fixture
async def nodes(breakable: Breakable) -> AsyncIterator[Nodes]:
    found = Nodes(Node(breakable.one.url), Node(breakable.two.url))
    yield found
    breakable.losses.stop()
    await found.one.close()
    await found.two.close()


class Outage:
    """Redis is away for both processes from `begin` to `end`."""

    def __init__(self, breakable: Breakable, nodes: Nodes, valkey: EmbeddedValkey) -> None:
        self._processes = (breakable.one, breakable.two)
        self._ways = breakable.ways_to_redis
        self._nodes = nodes
        self._valkey = valkey
        self._before: list[tuple[int, int]] | None = None

    def begin(self, how: How) -> None:
        self._before = self._buses()
        if how == "stopped":
            self._valkey.stop()
            return
        for way in self._ways:
            way.swallow()

    async def end(self) -> None:
        """Once both have noticed, it is there again, until both have noticed that, too."""
        if (before := self._before) is None:
            return
        self._before = None
        try:
            await eventually(lambda: all(now[0] > was[0] for now, was in zip(self._buses(), before, strict=True)))
        finally:
            for way in self._ways:
                way.resume()
            if self._valkey.process is None or self._valkey.process.poll() is not None:
                self._valkey.start()
        await eventually(lambda: all(now[1] > was[1] for now, was in zip(self._buses(), before, strict=True)))
        for node in (self._nodes.one, self._nodes.two):
            await eventually(partial(healed, node))

    def _buses(self) -> list[tuple[int, int]]:
        """How often each process lost the bus and heard it."""
        return [(one.said.count("bus_lost"), one.said.count("bus_connected")) for one in self._processes]


@pytest.fixture
async def outage(breakable: Breakable, nodes: Nodes, valkey: EmbeddedValkey) -> AsyncIterator[Outage]:
    """Over when the test is, whatever happened."""
    made = Outage(breakable, nodes, valkey)
    yield made
    await made.end()


async def degraded(node: Node) -> list[str]:
    """What /readyz says is away."""
    answer = await node.request("GET", "/readyz")
    assert answer.status == 200, "without Redis the chat is degraded, and ready"
    found: list[str] = answer.body["degraded"]
    return found


async def healed(node: Node) -> bool:
    return not await degraded(node)
