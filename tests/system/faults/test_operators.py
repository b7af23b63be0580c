"""What operators do is done with Redis away, too: within two seconds, at every process."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.client import Person, Socket
from tests.support.operators import root
from tests.system.faults.conftest import How, Nodes, Outage

pytestmark = [pytest.mark.fault, pytest.mark.timeout(90)]

REFUSED = 4403
SECONDS = 2.0


@pytest.mark.parametrize("how", ["stopped", "silent"])
async def test_without_redis_a_suspension_takes_effect_within_two_seconds(
    nodes: Nodes, database_url: str, how: How, outage: Outage
) -> None:
    operator, ada = await root(nodes.one, database_url), await nodes.one.register("Ada")
    async with ada.listening() as here, ada.at(nodes.two).listening() as there:
        outage.begin(how)
        await operator.post(f"/ops/users/{ada.id}/suspend/", reason="spam")
        async with asyncio.timeout(SECONDS):
            assert [await socket.closed() for socket in (here, there)] == [REFUSED] * 2
    async with Socket.opened(nodes.two, ada.access) as late:
        assert await late.closed() == REFUSED
    assert (await ada.at(nodes.two).call("GET", "/me/")).problem.status == 401


@pytest.mark.parametrize("how", ["stopped", "silent"])
async def test_without_redis_a_broadcast_is_delivered_once_within_two_seconds(
    nodes: Nodes, database_url: str, how: How, outage: Outage
) -> None:
    operator, ada = await root(nodes.one, database_url), await nodes.one.register("Ada")
    late = await nodes.one.register("Late")
    async with ada.listening() as here, ada.at(nodes.two).listening() as there:
        outage.begin(how)
        made = [await announce(operator, number) for number in range(2)]
        async with asyncio.timeout(SECONDS):
            for socket in (here, there):
                await socket.expect("broadcast", id=made[-1])
        async with late.at(nodes.two).listening() as later:
            await later.expect("broadcast", id=made[-1])
            await outage.end()
            last = await announce(operator, 2)
            for socket in (here, there, later):
                await socket.expect("broadcast", id=last)
                assert [frame["id"] for frame in socket.received("broadcast")] == [*made, last]


async def announce(operator: Person, number: int) -> str:
    body = {"title": f"Number {number}", "text": "Away from 22:00 UTC.", "to": "everybody"}
    return str((await operator.call("POST", "/ops/broadcasts/", body)).good(201)["id"])
