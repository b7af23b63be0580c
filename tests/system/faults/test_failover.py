"""A server that takes no writes is an outage, and another one is found where the URL names several."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from urllib.parse import urlsplit

import pytest

from app.cli.database import migrate
from app.db import Database, open_engine
from app.domain.errors import Unavailable
from app.local.database_roles import OWNER
from app.local.postgres import EmbeddedPostgres
from tests.support.client import Node, eventually
from tests.support.processes import Processes
from tests.support.proxy import Proxy
from tests.support.servers import public_directory
from tests.support.standby import OPTIONS, Pair

pytestmark = [pytest.mark.fault, pytest.mark.timeout(180)]


@pytest.fixture
def pair() -> Iterator[Pair]:
    with public_directory() as directory:
        primary = EmbeddedPostgres(directory / "primary", options=OPTIONS)
        pair = Pair(primary, directory / "standby")
        try:
            primary.start()
            migrate(primary.url(role=OWNER), primary.url())
            pair.start()
            yield pair
        finally:
            pair.standby.stop()
            primary.stop()


@pytest.fixture
def first(pair: Pair) -> Iterator[Proxy]:
    """In front of the primary: it can vanish as a host does that lost its power."""
    proxy = Proxy(pair.primary.url())
    proxy.start()
    yield proxy
    proxy.stop()


@pytest.fixture
async def node(started: Processes, pair: Pair, first: Proxy) -> AsyncIterator[Node]:
    """A process that knows both servers, the primary first."""
    parts = urlsplit(first.through)
    url = parts._replace(netloc=f"{parts.netloc},127.0.0.1:{pair.standby.port}").geturl()
    (api,) = started.apis({"DATABASE_URL": url})
    found = Node(api.url)
    yield found
    await found.close()
    api.end()


def set_read_only(server: EmbeddedPostgres, state: str, *, of_all: bool = True) -> None:
    """The server refuses writes; `of_all` ends its sessions too, so that they reconnect."""
    with server.connect() as connection:
        connection.execute(f"ALTER DATABASE chat SET default_transaction_read_only = {state}".encode())
        if of_all:
            connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'chat'"
            )


async def ready(node: Node) -> int:
    return (await node.request("GET", "/readyz")).status


async def test_a_read_only_primary_counts_as_an_outage_everywhere(started: Processes, pair: Pair) -> None:
    (api,) = started.apis({"DATABASE_URL": pair.primary.url()})
    node = Node(api.url)
    ada = await node.register("Ada")
    engines = await ada.converse()
    async with ada.listening() as socket:
        set_read_only(pair.primary, "on")
        for answer in (
            await ada.say(engines, "no"),
            await ada.call("PATCH", f"/conversations/{engines}/", {"name": "No"}),
            await ada.call("POST", "/ws-ticket/"),
        ):
            assert (answer.problem.status, answer.problem.code) == (503, "database_unavailable")
            assert answer.headers["retry-after"]
        await socket.say("send", ref="one", conversation=engines, message_type="text", text="no")
        assert (await socket.expect("error", ref="one"))["code"] == "database_unavailable"
        assert await ready(node) == 503
        set_read_only(pair.primary, "off", of_all=False)
        # No session that would take writes is open: the connections of before are gone.
        await eventually(lambda: _is_ready(node))
        (await ada.say(engines, "yes")).good(201)
        assert [message["text"] for message in await ada.history(engines)] == ["yes"]
    assert "Traceback" not in api.said
    await node.close()
    api.end()


async def test_a_process_that_lost_the_first_host_uses_the_next_and_is_ready(
    node: Node, pair: Pair, first: Proxy
) -> None:
    ada = await node.register("Ada")
    engines = await ada.converse()
    (await ada.say(engines, "before")).good(201)
    await eventually(lambda: _has(pair.standby, 1))
    first.vanish()
    await asyncio.to_thread(pair.promote)

    async def sent() -> bool:
        return (await ada.say(engines, "after")).status == 201

    await eventually(sent, 40)
    assert [await ready(node) for _ in range(5)] == [200] * 5
    (await ada.say(engines, "and on")).good(201)
    texts = [message["text"] for message in await ada.history(engines)]
    assert (texts[0], texts[-1]) == ("before", "and on")


async def test_a_standby_alone_is_not_ready(pair: Pair) -> None:
    database = Database(open_engine(pair.standby.url(), pool_size=1))
    with pytest.raises(Unavailable) as refused:
        await database.verify()
    assert refused.value.code == "database_unavailable"
    await database.close()


async def _is_ready(node: Node) -> bool:
    return await ready(node) == 200


def _has(server: EmbeddedPostgres, count: int) -> bool:
    with server.connect("chat") as connection:
        row = connection.execute("SELECT count(*) FROM messages").fetchone()
        return row == (count,)
