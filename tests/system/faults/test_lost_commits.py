"""A connection lost before or in COMMIT: nothing unstored is acknowledged or published, and a retry settles it."""

from __future__ import annotations

import pytest

from tests.support.client import Socket, eventually
from tests.support.ledger import log_state
from tests.support.wires import Where
from tests.system.faults.conftest import Breakable, Nodes

pytestmark = [pytest.mark.fault, pytest.mark.timeout(60)]

CODES: dict[Where, str] = {"before": "outcome_unknown", "after": "outcome_unknown"}
"""A send is one statement that commits itself: a client that lost the connection cannot distinguish the two."""


def texts(socket: Socket) -> list[str]:
    return [frame["data"]["text"] for frame in socket.received("message.created")]


@pytest.mark.parametrize("where", CODES)
async def test_a_send_whose_commit_is_lost_is_settled_by_its_retry(
    breakable: Breakable, nodes: Nodes, database_url: str, where: Where
) -> None:
    ada, linus = [await nodes.one.register(name) for name in ("Ada", "Linus")]
    engines = await ada.converse(linus)
    async with ada.listening() as near, linus.at(nodes.two).listening() as far:
        breakable.trap.set(where, b"send_messages")
        lost = await ada.say(engines, "once", client_id="the one")
        assert breakable.trap.fired == 1
        assert (lost.problem.status, lost.problem.code) == (503, CODES[where])
        assert lost.headers["retry-after"]
        stored = where == "after"
        assert log_state(database_url, engines).count == stored
        if stored:  # its publish never happened: the poll finds it
            for socket in (near, far):
                await socket.expect("message.created")

        (await linus.at(nodes.two).say(engines, "next")).good(201)
        again = (await ada.say(engines, "once", client_id="the one")).good(200 if stored else 201)
        late = (await ada.at(nodes.two).say(engines, "once", client_id="the one")).good(200)
        assert (again["id"], again["seq"]) == (late["id"], late["seq"])

        order = ["once", "next"] if stored else ["next", "once"]
        for socket in (near, far):
            await eventually(lambda socket=socket: len(texts(socket)) == 2)  # type: ignore[misc]
            await socket.settle()
            assert texts(socket) == order
    assert [message["text"] for message in await ada.history(engines)] == order
    assert log_state(database_url, engines).is_whole


@pytest.mark.parametrize("where", ["before", "after"])
async def test_an_addition_lost_in_commit_makes_a_full_member_or_none(
    breakable: Breakable, nodes: Nodes, database_url: str, where: Where
) -> None:
    ada, linus = [await nodes.one.register(name) for name in ("Ada", "Linus")]
    engines = await ada.converse()
    async with ada.listening() as to_ada, linus.at(nodes.two).listening() as to_linus:
        breakable.trap.set(where, b"INSERT INTO memberships")
        lost = await ada.call("POST", f"/conversations/{engines}/add_member/", {"user": linus.id})
        assert breakable.trap.fired == 1
        assert (lost.problem.status, lost.problem.code) == (503, "outcome_unknown")
        if where == "after":
            await to_linus.expect("conversation.created")
            await to_ada.expect("member.added")
        assert (await linus.at(nodes.two).call("GET", f"/conversations/{engines}/")).status == (
            200 if where == "after" else 404
        )
        again = await ada.call("POST", f"/conversations/{engines}/add_member/", {"user": linus.id})
        assert again.status == (409 if where == "after" else 204)
        if where == "before":
            await to_linus.expect("conversation.created")
            await to_ada.expect("member.added")
        await to_ada.settle()
        await to_linus.settle()
        assert len(to_ada.received("member.added")) == len(to_linus.received("conversation.created")) == 1


async def test_without_a_fault_the_same_send_is_stored_and_delivered_once(nodes: Nodes, database_url: str) -> None:
    ada = await nodes.one.register("Ada")
    engines = await ada.converse()
    async with ada.listening() as near:
        (await ada.say(engines, "once", client_id="the one")).good(201)
        await near.expect("message.created")
        await near.settle()
        assert texts(near) == ["once"]
    assert log_state(database_url, engines).count == 1
