"""The figures on queues for Prometheus, Flower and the command."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from uuid import UUID

import httpx
import psycopg
import pytest
import redis

from app.local.processes import free_port, wait_until
from app.store.page_cache import key_of
from app.tasks import cache
from tests.support import misbehaving_tasks
from tests.support.client import Node, Person, eventually
from tests.support.command import chat
from tests.support.places import Place
from tests.support.processes import Process
from tests.tasks.conftest import MISBEHAVING
from tests.tasks.test_failures import WITHIN

WHO = "operator:a password for tests"


async def metrics(node: Node) -> dict[str, float]:
    text = (await node.request("GET", "/metrics")).content.decode()
    lines = [line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


@pytest.fixture(scope="module")
def flower(place: Place) -> Iterator[str]:
    """Where it listens."""
    port = free_port()
    environment = {**place.processes.environment, "FLOWER_BASIC_AUTH": WHO}
    one = Process("flower", ["--port", str(port)], place.processes.directory, environment, MISBEHAVING)
    place.processes.keep(one)
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            return httpx.get(f"{url}/healthcheck", trust_env=False, timeout=2).status_code < 500
        except httpx.HTTPError:
            return False

    wait_until(answers, one.process, seconds=60, what="flower", log=one.log)
    yield url
    one.signal(signal.SIGTERM)
    one.process.wait(20)
    assert WHO.partition(":")[2] not in one.said


async def test_prometheus_reads_the_queues(operator: Person, ran_twice: None) -> None:
    async def received() -> bool:
        found = await metrics(operator.node)
        done = found.get('chat_tasks_total{outcome="done",queue="upkeep"}', 0)
        return done >= 2 and found["chat_workers"] == 1

    await eventually(received, WITHIN)
    found = await metrics(operator.node)
    assert found["chat_broker_up"] == 1
    for name in ("waiting", "oldest_seconds", "running"):
        assert {f'chat_queue_{name}{{queue="{queue}"}}' for queue in ("cache", "notifications", "upkeep")} <= set(found)


async def test_without_the_broker_prometheus_reads_broker_down_and_no_queue(place: Place, operator: Person) -> None:
    without = place.processes.apis({"REDIS_URL": "redis://127.0.0.1:1/0", "CACHE_REDIS_URL": place.settings.redis_url})
    node = Node(without[0].url)
    found = await metrics(node)
    assert found["chat_broker_up"] == 0
    assert not [name for name in found if name.startswith("chat_queue_")]
    refused = await operator.at(node).call("GET", "/ops/queues/")
    assert (refused.problem.status, refused.problem.code) == (503, "broker_unavailable")
    await node.close()
    without[0].end()


async def test_flower_shows_tasks_with_the_password(flower: str, operator: Person, ran_twice: None) -> None:
    async with httpx.AsyncClient(base_url=flower, trust_env=False, timeout=10) as browser:
        for path in ("/", "/workers", "/tasks", "/broker", "/api/workers", "/api/tasks", "/metrics"):
            for auth in (None, ("operator", "wrong")):
                answer = await browser.get(path, auth=auth, follow_redirects=True)
                assert answer.status_code == (404 if path == "/metrics" else 401), path
        known = ("operator", WHO.partition(":")[2])
        misbehaving_tasks.fails_too.apply_async(("/dev/null",), retry=False)

        async def shown() -> bool:
            tasks = (await browser.get("/api/tasks", auth=known)).json()
            return any(one["name"] == "chat.upkeep.fails_too" for one in tasks.values())

        await eventually(shown, WITHIN)
        assert (await browser.get("/broker", auth=known)).status_code == 200
        # It only shows.
        (name,) = (await operator.get("/ops/queues/"))["workers"]
        refused = await browser.post(f"/api/worker/shutdown/{name}", auth=known)
        assert refused.status_code >= 400


def test_flower_does_not_start_without_a_password(place: Place) -> None:
    received = chat(place.settings, "flower")
    assert received.returncode == 2
    assert received.stderr.startswith("chat: FLOWER_BASIC_AUTH: not set")


async def test_a_sweep_rebuilds_missing_and_outdated_caches(place: Place, operator: Person) -> None:
    engines, others = [await operator.converse() for _ in range(2)]
    for conversation in (engines, others):
        for number in range(3):
            (await operator.say(conversation, f"message {number}")).good(201)
    keys = [key_of(UUID(conversation)) for conversation in (engines, others)]
    with redis.Redis.from_url(place.settings.redis_url, socket_timeout=5) as client:
        client.delete(keys[0])
        # As when the cache write of an edit was lost.
        with psycopg.connect(place.settings.libpq_url) as connection:
            connection.execute("UPDATE conversations SET edited_position = position WHERE id = %s", [others])
        before = await metrics(operator.node)
        cache.sweep.apply_async()
        await eventually(lambda: client.exists(keys[0]) == 1, WITHIN)
        assert re.search(b"message 2", bytes(client.hget(keys[0], "3") or b""))
        await eventually(lambda: int(client.hget(keys[1], "edited") or 0) > 0, WITHIN)

        async def counted() -> bool:
            now = await metrics(operator.node)
            return all(
                now.get(name, 0) >= before.get(name, 0) + 1
                for name in ('chat_cache_upkeep_total{why="warmed"}', 'chat_cache_upkeep_total{why="repaired"}')
            )

        await eventually(counted, WITHIN)


async def test_pages_are_counted_by_cache_outcome(place: Place, operator: Person) -> None:
    engines = await operator.converse()
    (await operator.say(engines, "hello")).good(201)
    before = await metrics(operator.node)
    await operator.page(engines)
    with redis.Redis.from_url(place.settings.redis_url, socket_timeout=5) as client:
        client.delete(key_of(UUID(engines)))
        await operator.page(engines)
        client.hset(key_of(UUID(engines)), mapping={"edited": 99, "1": "{}"})
        await operator.page(engines)
    after = await metrics(operator.node)
    names = {had: f'chat_cache_pages_total{{had="{had}"}}' for had in ("page", "missing", "unproven")}
    assert {had: after[name] - before.get(name, 0) for had, name in names.items()} == {
        "page": 1,
        "missing": 1,
        "unproven": 1,
    }


@pytest.fixture
async def ran_twice(operator: Person, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Two tasks, done."""
    path = tmp_path_factory.mktemp("ran") / "ran"
    for _ in range(2):
        misbehaving_tasks.behaves.apply_async((str(path),))

    def both() -> bool:
        return path.exists() and len(path.read_bytes().splitlines()) == 2

    await eventually(both, WITHIN)
