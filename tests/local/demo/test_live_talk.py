"""The people of the demo really talk: they type, send, read, answer a visitor, and come back after an outage."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from functools import partial

import pytest

from app.domain.welcome.first_link import OPERATOR_ADDRESS
from app.local.demo import live_talk
from app.local.demo.demo_data import CONVERSATIONS, PASSWORD, PEOPLE
from app.local.demo.demo_seed import Filled, fill
from app.local.demo.talk_lines import REPLIES, TALKS, VISITED
from app.settings import environment_for_child
from tests.support.client import API, Node, Person
from tests.support.processes import ROOT, Api, Processes, processes
from tests.support.servers import TestPostgres, public_directory, worker_name

NAMES = {name for name, _ in PEOPLE}
LINES = {text for exchanges in TALKS.values() for exchange in exchanges for _, text in exchange}


@pytest.fixture(scope="module")
def started(postgres: TestPostgres, redis_url: str) -> Iterator[Processes]:
    """On a database of these tests, which fill it with talk."""
    name = f"chat_{worker_name()}_talk"
    with public_directory() as directory, processes(directory, postgres.create(name), redis_url) as found:
        yield found
    postgres.drop(name)


@pytest.fixture(scope="module")
def api(started: Processes) -> Api:
    return started.api()


@pytest.fixture(scope="module")
async def visitor(api: Api) -> AsyncIterator[Person]:
    """The first operator, as far as the demo knows: the account with that address."""
    node = Node(api.url)
    account = {"email": OPERATOR_ADDRESS, "password": PASSWORD, "first_name": "First", "last_name": "Operator"}
    (await node.request("POST", f"{API}/users/", json=account)).good(201)
    yield await node.log_in(OPERATOR_ADDRESS, PASSWORD)
    await node.close()


@pytest.fixture(scope="module")
async def filled(api: Api, visitor: Person) -> Filled:
    return await asyncio.to_thread(fill, api.port)


@pytest.fixture
async def talking(filled: Filled) -> AsyncIterator[None]:
    task = asyncio.create_task(live_talk.talk(filled.people, filled.groups, pace=0.05))
    yield
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_the_first_operator_is_a_member_of_two_groups(visitor: Person, filled: Filled) -> None:
    listed = (await visitor.get("/conversations/"))["items"]
    assert {row["name"] for row in listed} == set(VISITED)


async def test_people_type_before_they_write_and_others_read(visitor: Person, filled: Filled, talking: None) -> None:
    room = filled.groups["Engine room"]
    async with visitor.listening() as socket:
        speakers: set[str] = set()
        while len(speakers) < 2:
            typing = await socket.expect("typing", conversation=room)
            said = await socket.expect("message.created", conversation=room)
            assert said["data"]["sent_by"]["id"] == typing["user"]
            assert said["data"]["text"] in LINES
            speakers.add(said["data"]["sent_by"]["first_name"])
        read = await socket.expect("read", conversation=room)
        assert read["user"] in {person.id for person in filled.people.values()}
    assert speakers <= NAMES


async def test_a_visitor_gets_an_answer(visitor: Person, filled: Filled, talking: None) -> None:
    room = filled.groups["Lunch"]
    async with visitor.listening() as socket:
        asked = (await visitor.say(room, "May I join you?")).good(201)
        while True:
            said = (await socket.expect("message.created", conversation=room, within=30))["data"]
            if said["reply_to"] == asked["seq"]:
                break
        assert said["text"] in REPLIES
        assert said["sent_by"]["first_name"] in NAMES


def test_a_terminal_is_told_each_line_until_ctrl_c(started: Processes, api: Api, filled: Filled) -> None:
    command = [sys.executable, "-m", "app.cli", "demo", "--live"]
    environment = environment_for_child(**{**started.environment, "PORT": str(api.port), "PYTHONUNBUFFERED": "1"})
    talk = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # A run in the background ignores Ctrl-C, and so would its children.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    try:
        assert talk.stdout is not None
        shown = []
        for line in talk.stdout:
            shown.append(line.strip())
            if any(line.rstrip().endswith(text) for text in LINES):
                break
        talk.send_signal(signal.SIGINT)
        rest, _ = talk.communicate(timeout=30)
    finally:
        talk.kill()
    assert talk.returncode == 0
    assert any("ada@example.org" in line for line in shown)
    assert "Stopped. What they wrote stays." in rest
    assert "Traceback" not in rest


async def test_the_talk_survives_an_outage_and_says_nothing_twice(
    started: Processes, api: Api, visitor: Person, filled: Filled, talking: None
) -> None:
    room = filled.groups["Engine room"]
    async with visitor.listening() as socket:
        await socket.expect("message.created", conversation=room)
        api.kill()
    await asyncio.to_thread(started.again, api)
    async with visitor.listening() as socket:
        for _ in range(3):
            await socket.expect("message.created", conversation=room, within=30)
    keys = [message["client_id"] for message in await visitor.history(room)]
    assert len(keys) == len(set(keys)) > len(CONVERSATIONS["Engine room"]["lines"])
