"""API processes whose way to Postgres and Redis can be broken, and a Valkey of their own, which may be stopped."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import ExitStack

import msgspec
import pytest

from app.local.valkey import Valkey
from tests.support.client import Node
from tests.support.processes import Api, Processes, last_words, processes
from tests.support.proxy import Proxy
from tests.support.servers import public_directory, run_valkey
from tests.support.wires import Losses, PostgresWire, RedisWire, Trap


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
def valkey() -> Iterator[Valkey]:
    """One that tests here may stop and start again."""
    with run_valkey() as own:
        yield own


@pytest.fixture(scope="session")
def started(database_url: str, valkey: Valkey) -> Iterator[Processes]:
    """Where processes are started from, on this run's Postgres and the Valkey of these tests."""
    with public_directory() as directory, processes(directory, database_url, valkey.url) as found:
        yield found


@pytest.fixture(scope="session")
def breakable(started: Processes, database_url: str, valkey: Valkey) -> Iterator[Breakable]:
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
    await found.one.close()
    await found.two.close()


async def degraded(node: Node) -> list[str]:
    """What /readyz says is away."""
    answer = await node.request("GET", "/readyz")
    assert answer.status == 200, "without Redis the chat is degraded, and ready"
    found: list[str] = answer.body["degraded"]
    return found


async def healed(node: Node) -> bool:
    return not await degraded(node)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        report.sections += last_words()
    return report
