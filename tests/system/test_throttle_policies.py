"""A policy changed while the chat runs holds in every process within 2 s, with Redis away too, and after a start."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import psycopg
import pytest

from app.domain.orm import uuid7
from tests.support.client import Json, Node, eventually
from tests.support.servers import TestPostgres, worker_name
from tests.support.throttling.stage import FIVE, POLICIES, Sender, Stage, Two, staged, two_processes
from tests.throttling.test_local_limiter import NOBODY

LIMIT, HIGHER, LOWER = 60, 80, 10
WITHIN = 4.0
"""Seconds: two are promised; a machine that is busy with other tests is given as many again."""


@pytest.fixture(scope="module")
def own_database_url(postgres: TestPostgres) -> Iterator[str]:
    """Policies are the whole database's: a change here would be felt by every other test."""
    name = f"chat_{worker_name()}_policies"
    yield postgres.create(name)
    postgres.drop(name)


@pytest.fixture(scope="module")
def two(own_database_url: str, redis_url: str) -> Iterator[Two]:
    with two_processes(own_database_url, redis_url, THROTTLE_MESSAGES=f"{LIMIT}/minute") as started:
        yield started


@pytest.fixture
async def stage(two: Two, own_database_url: str) -> AsyncIterator[Stage]:
    async with staged(two, own_database_url) as stage:
        yield stage
        for policy in ("messages", "renames"):
            await stage.reset(policy)


@pytest.fixture
async def alone(own_database_url: str) -> AsyncIterator[Stage]:
    """The same with Redis away: each process counts by itself."""
    with two_processes(own_database_url, NOBODY, THROTTLE_MESSAGES=f"{LIMIT}/minute") as two:
        async with staged(two, own_database_url) as stage:
            yield stage
            await stage.reset("messages")


async def load(sender: Sender, node: Node, over: asyncio.Event) -> None:
    """Sends without end."""
    while not over.is_set():
        await sender.allowed(node)


async def wait_for_limit(sender: Sender, node: Node, limit: int) -> None:
    """Wait until the process refuses, and says that this is the limit."""

    async def received() -> bool:
        return f"q={limit};" in (await sender.send(node)).headers.get("ratelimit-policy", "")

    await eventually(received, WITHIN)


async def allowed_more(sender: Sender, node: Node) -> None:
    """Wait until the process lets another one through."""

    async def allowed() -> bool:
        return await sender.allowed(node)

    await eventually(allowed, WITHIN)


async def changed_under_load(stage: Stage, counters: int) -> None:
    """`counters`: how many there are for one user, one for all processes or one for each."""
    ada = await Sender.registered(stage.one, "Ada")
    others = [await Sender.registered(stage.one, name) for name in ("Grace", "Linus")]
    for one in others:
        (await stage.rate("messages", "1000000/minute", one.person)).good(200)
    over = asyncio.Event()
    loading = asyncio.gather(*(load(one, node, over) for one in others for node in stage.nodes))
    try:
        assert await ada.fill(stage.nodes) == LIMIT * counters
        (await stage.rate("messages", f"{HIGHER}/minute")).good(200)
        for node in stage.nodes:
            await allowed_more(ada, node)
        assert await ada.fill(stage.nodes) == HIGHER * counters
        (await stage.rate("messages", f"{LOWER}/minute")).good(200)
        for node in stage.nodes:
            await wait_for_limit(ada, node, LOWER)
        assert ada.stored == HIGHER * counters
    finally:
        over.set()
        await loading
    assert all(one.stored > HIGHER * counters for one in others)


async def test_under_load_the_current_policy_decides_about_the_61st_message(stage: Stage) -> None:
    await changed_under_load(stage, 1)


async def test_without_redis_the_current_policy_decides_as_well(alone: Stage) -> None:
    await changed_under_load(alone, 2)


async def test_an_exception_gives_one_user_another_rate(stage: Stage) -> None:
    ada, eve = await Sender.registered(stage.one, "Ada"), await Sender.registered(stage.one, "Eve")
    received = (await stage.rate("messages", FIVE, ada.person)).good(200)
    assert (received["user"]["id"], received["rate"], received["changed_from"]) == (
        ada.person.id,
        FIVE,
        f"{LIMIT}/minute",
    )
    (noted,) = (await stage.operator.get("/ops/audit/", subject=ada.person.id))["items"]
    assert noted["details"] == {"policy": "messages", "from": f"{LIMIT}/minute", "to": FIVE}
    for node in stage.nodes:
        await wait_for_limit(ada, node, 5)
    assert await eve.fill(stage.nodes) == LIMIT
    # The general limit does not apply to them until their own is withdrawn.
    (await stage.rate("messages", f"{HIGHER}/minute")).good(200)
    for node in stage.nodes:
        await allowed_more(eve, node)
        await wait_for_limit(ada, node, 5)
    await stage.reset("messages", ada.person)
    for node in stage.nodes:
        await allowed_more(ada, node)
    assert await ada.fill(stage.nodes) == HIGHER


async def test_a_changed_policy_survives_a_restart(stage: Stage, own_database_url: str) -> None:
    ada, eve = await Sender.registered(stage.one, "Ada"), await Sender.registered(stage.one, "Eve")
    (await stage.rate("messages", FIVE)).good(200)
    (await stage.rate("messages", "3/minute", eve.person)).good(200)
    with psycopg.connect(own_database_url, connect_timeout=3) as connection:
        # Too long ago for a process that polls for recent changes.
        connection.execute("UPDATE throttle_policies SET changed_bucket = changed_bucket - 10_000")
    later = Node(stage.started.api().url)
    assert await ada.fill([later]) == 5
    assert await eve.fill([later]) == 3
    await later.close()


async def test_a_changed_window_starts_a_new_count(stage: Stage) -> None:
    ada = await Sender.registered(stage.one, "Ada")
    assert await ada.fill(stage.nodes) == LIMIT
    (await stage.rate("messages", "5/hour")).good(200)
    for node in stage.nodes:
        await wait_for_limit(ada, node, 5)
    assert LIMIT + 5 <= ada.stored <= LIMIT + 5 + 10


@pytest.mark.parametrize("rate", ["abc/fortnight", "0/minute", "-1/minute", "60", "", "60/minute" * 9, "１/minute"])
async def test_an_invalid_rate_is_refused_and_changes_nothing(stage: Stage, rate: str) -> None:
    ada = await stage.one.register("Ada")
    before = await stage.policies()
    for whom in (None, ada):
        problem = (await stage.rate("messages", rate, whom)).problem
        assert (problem.status, problem.code, problem.fields) == (400, "invalid", {"rate"})
        assert problem.errors[0].message.endswith((".", "32"))
    assert await stage.policies() == before


async def test_an_unknown_policy_or_user_is_refused_and_changes_nothing(stage: Stage) -> None:
    ada = await stage.one.register("Ada")
    before = await stage.policies()
    for method, body in (("PUT", {"rate": FIVE}), ("DELETE", None)):
        for path in ("nonsense/", f"nonsense/users/{ada.id}/", f"address/users/{ada.id}/", "%00/"):
            assert (await stage.operator.call(method, POLICIES + path, body)).problem.status == 404
            assert (await stage.operator.call("GET", f"{POLICIES}address/users/")).problem.code == "unknown_policy"
    refused = await stage.operator.call("PUT", f"{POLICIES}messages/users/{uuid7()}/", {"rate": FIVE})
    assert (refused.problem.status, refused.problem.code) == (404, "unknown_user")
    (await ada.call("DELETE", "/me/", {"current_password": "correct horse battery staple"})).good(204)
    assert (await stage.rate("messages", FIVE, ada)).problem.code == "unknown_user"
    assert await stage.policies() == before


async def test_a_changed_policy_records_its_author_time_and_former_value(stage: Stage) -> None:
    await stage.reset("renames")
    root = {"id": stage.operator.id, "first_name": "Root", "last_name": "Tester"}
    received: Json = (await stage.rate("renames", "20/Hour")).good(200)
    assert (received["rate"], received["changed_from"], received["changed_by"]) == ("20/hour", "10/hour", root)
    # The same again is a retry, and forgets nothing.
    assert (await stage.rate("renames", "20/Hour")).good(200) == received
    assert (await stage.policies())["renames"] == received
    assert (received["default"], received["exceptions"]) == ("10/hour", 0)
    (await stage.rate("renames", "30/hour")).good(200)
    await stage.reset("renames")
    state: Json = (await stage.policies())["renames"]
    assert (state["rate"], state["changed_from"], state["changed_by"]) == ("10/hour", "30/hour", root)
    assert (await stage.policies())["address"]["exceptions"] is None
    noted = (await stage.operator.get("/ops/audit/", action="policy.changed", limit=3))["items"]
    assert [one["details"] for one in noted] == [
        {"policy": "renames", "from": "30/hour", "to": "10/hour"},
        {"policy": "renames", "from": "20/hour", "to": "30/hour"},
        {"policy": "renames", "from": "10/hour", "to": "20/hour"},
    ]
    assert {one["by"] for one in noted} == {stage.operator.id}


async def test_exceptions_are_listed_page_by_page(stage: Stage) -> None:
    people = sorted([await stage.one.register("Ada") for _ in range(3)], key=lambda one: one.id)
    for one in people:
        (await stage.rate("renames", FIVE, one)).good(200)
    path, found = f"{POLICIES}renames/users/", []
    cursor: dict[str, str] = {}
    while page := await stage.operator.get(path, limit=2, **cursor):
        found += page["items"]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert [(one["user"]["id"], one["rate"]) for one in found] == [(one.id, FIVE) for one in people]
    assert (await stage.policies())["renames"]["exceptions"] == 3
    assert (await stage.operator.call("GET", f"{path}?cursor=x")).problem.code == "invalid_cursor"
    for one in people:
        await stage.reset("renames", one)
    assert (await stage.operator.get(path))["items"] == []
