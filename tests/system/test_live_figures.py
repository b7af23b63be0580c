"""`/ops/live` and the trace over two processes: one answer for the deployment, the same from each."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import msgspec
import pytest

from app.settings import Settings
from tests.support.client import Json, Node, Person, eventually
from tests.support.command import chat
from tests.support.operators import root
from tests.support.processes import processes
from tests.support.servers import public_directory, run_valkey
from tests.system.conftest import Pair

SECRET = "the words of a message"
PATIENCE = 30.0
"""A process reports every five seconds."""


class Deployment(msgspec.Struct, frozen=True):
    """Two processes whose Redis no other test's process reports to."""

    pair: Pair
    settings: Settings
    operator: Person


@pytest.fixture
async def deployed(settings: Settings, database_url: str) -> AsyncIterator[Deployment]:
    with (
        run_valkey() as valkey,
        public_directory() as directory,
        processes(directory, database_url, valkey.url) as started,
    ):
        one, two = started.apis({}, {})
        pair = Pair(Node(one.url), Node(two.url))
        own = msgspec.structs.replace(settings, redis_url=valkey.url, cache_redis_url=valkey.url)
        yield Deployment(pair, own, await root(pair.one, database_url))
        await pair.one.close()
        await pair.two.close()


async def live(operator: Person) -> Json:
    found: Json = await operator.get("/ops/live/")
    return found


async def test_sockets_and_deliveries_of_both_processes_are_one_answer(deployed: Deployment) -> None:
    pair, operator = deployed.pair, deployed.operator
    ada, linus = await pair.one.register("Ada"), await pair.two.register("Linus")
    group = await ada.converse(linus)

    async def both_report() -> bool:
        return bool((await live(operator))["processes"] == 2)

    await eventually(both_report, PATIENCE)
    before = await live(operator)
    assert (before["complete"], before["sockets"], before["delivery"]["measured"]) == (True, 0, 0)
    async with AsyncExitStack() as stack:
        for person, number in ((ada, 2), (linus, 3)):
            for _ in range(number):
                await stack.enter_async_context(person.listening())
        for person in (operator, operator.at(pair.two)):

            async def counted(person: Person = person) -> bool:
                return bool((await live(person))["sockets"] == 5)

            await eventually(counted, PATIENCE)
        for number in range(4):
            (await ada.say(group, f"{SECRET} {number}")).good(201)

        async def measured() -> bool:
            delivery = (await live(operator))["delivery"]
            return bool(delivery["measured"] == 8 and delivery["p50"] is not None)

        await eventually(measured, PATIENCE)
        printed = await asyncio.to_thread(chat, deployed.settings, "live", "--json")
        assert printed.returncode == 0, printed.stderr
        facts = json.loads(printed.stdout)
        assert (facts["processes"], facts["sockets"], facts["delivery"]["measured"]) == (2, 5, 8)
        assert facts.keys() == before.keys()


async def test_a_trace_shows_no_text_and_does_not_exist_for_others(pair: Pair, database_url: str) -> None:
    operator = await root(pair.one, database_url)
    ada, linus = await pair.one.register("Ada"), await pair.two.register("Linus")
    group = await ada.converse(linus)
    said = (await ada.say(group, SECRET)).good(201)
    path = f"/ops/messages/{said['id']}/trace/"
    found = await operator.call("GET", path)
    assert SECRET.encode() not in found.content
    body = found.good(200)
    assert (body["conversation"], body["seq"], body["cached"]) == (group, said["seq"], "held")
    assert [one["user"]["id"] for one in body["members"]["items"]] == [linus.id]
    await linus.call("PUT", f"/conversations/{group}/read/", {"seq": said["seq"]})
    assert (await operator.at(pair.two).get(path))["readers"] == 1
    assert (await ada.call("GET", path)).problem.status == 404
    problem = (await operator.call("GET", path, params={"cursor": "bm8"})).problem
    assert (problem.status, problem.code) == (400, "invalid_cursor")
    (entry, *_) = (await operator.get("/ops/audit/", action="message.traced", subject=said["id"]))["items"]
    assert (entry["by"], entry["details"]) == (operator.id, {"conversation": group})
