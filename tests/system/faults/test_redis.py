"""Redis is away, refusing or silent: everything is answered, live delivery goes on, and it comes back by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

import pytest

from tests.support.client import Socket, eventually
from tests.support.ledger import log_state
from tests.system.faults.conftest import How, Nodes, Outage, degraded

pytestmark = [pytest.mark.fault, pytest.mark.timeout(90)]
T = TypeVar("T")

ANSWER_SECONDS = 2.0
"""Contract (I12): nothing waits longer."""


async def in_time(call: Awaitable[T]) -> T:
    async with asyncio.timeout(ANSWER_SECONDS):
        return await call


@pytest.mark.parametrize("how", ["stopped", "silent"])
async def test_the_chat_works_without_redis_and_recovers_without_a_restart(
    nodes: Nodes, database_url: str, how: How, outage: Outage
) -> None:
    ada, linus, eve = [await nodes.one.register(name) for name in ("Ada", "Linus", "Eve")]
    linus, eve = linus.at(nodes.two), eve.at(nodes.two)
    engines = await ada.converse(linus)

    async with ada.listening() as to_ada, linus.listening() as to_linus, eve.listening() as to_eve:
        outage.begin(how)
        for at in range(3):
            (await in_time(ada.say(engines, f"without {at}"))).good(201)
            await to_linus.expect("message.created", within=3)
        (await in_time(linus.say(engines, "I hear you"))).good(201)
        for _ in range(4):
            await to_ada.expect("message.created", within=3)
        page = await in_time(linus.page(engines))
        assert [message["text"] for message in page] == ["without 0", "without 1", "without 2", "I hear you"]
        read = await in_time(linus.call("PUT", f"/conversations/{engines}/read/", {"seq": 4}))
        assert read.good()["unread"] == 0
        await in_time(nodes.one.log_in(ada.email))
        (await in_time(ada.call("POST", f"/conversations/{engines}/add_member/", {"user": eve.id}))).good(204)
        await to_eve.expect("conversation.created", within=3)
        for node in (nodes.one, nodes.two):
            assert await in_time(degraded(node)) == ["redis"]

        await outage.end()
        (await ada.say(engines, "with")).good(201)
        (await linus.say(engines, "with")).good(201)
        for socket, missed in ((to_ada, 0), (to_linus, 0), (to_eve, 4)):
            await heard_all(socket, range(missed + 1, 7))
    assert log_state(database_url, engines).is_whole


async def heard_all(socket: Socket, seqs: range) -> None:
    """Each message once and in order, and no other."""
    await eventually(lambda: len(socket.received("message.created")) >= len(seqs))
    await socket.settle()
    assert [frame["data"]["seq"] for frame in socket.received("message.created")] == list(seqs)
