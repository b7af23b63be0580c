"""examples/resume.py, run as it stands: a server killed under it costs it no message, and none is printed twice."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.clients.conftest import Stage
from tests.clients.losses import Inflating, Leaky, Left, Throttling
from tests.docs.markers import ROOT
from tests.support.client import PASSWORD, Person, eventually
from tests.support.proxy import Proxy

pytestmark = pytest.mark.fault
PROGRAM = ROOT / "examples" / "resume.py"
LONGEST = 94
WITHIN = 60.0
MANY = 1_100
"""More changes than a socket repairs."""


@asynccontextmanager
async def run(url: str, person: Person) -> AsyncIterator[tuple[Process, list[str]]]:
    """The program and the lines it prints."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", str(PROGRAM), url, person.email, PASSWORD),
        env={"PATH": os.environ["PATH"], "NO_PROXY": "*"},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    lines: list[str] = []
    reading = asyncio.create_task(read(process.stdout, lines))
    try:
        yield process, lines
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await reading


async def read(stream: asyncio.StreamReader, lines: list[str]) -> None:
    while line := await stream.readline():
        lines.append(line.decode().strip())


def test_the_example_is_short_and_needs_one_library() -> None:
    text = PROGRAM.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LONGEST
    imported = {line.split()[1].partition(".")[0] for line in text.splitlines() if line.startswith(("import", "from"))}
    assert imported - set(sys.stdlib_module_names) == {"websockets"}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "usage: python {program} URL EMAIL PASSWORD"),
        (("http://127.0.0.1:1", "ada@example.org", "x"), "ada@example.org could not log in at http://127.0.0.1:1: "),
        (("chat.example.org", "ada@example.org", "x"), "ada@example.org could not log in at chat.example.org: "),
    ],
    ids=["nothing", "no server", "no URL"],
)
def test_a_wrong_call_is_one_sentence(arguments: tuple[str, ...], sentence: str) -> None:
    assert_sentence(arguments, sentence.format(program=PROGRAM))


async def test_a_wrong_password_is_one_sentence(stage: Stage) -> None:
    ada = await stage.here.register("Ada")
    arguments = (stage.here.url, ada.email, "not her password")
    await asyncio.to_thread(
        assert_sentence, arguments, f"{ada.email} could not log in at {stage.here.url}: HTTP Error 401"
    )


def assert_sentence(arguments: tuple[str, ...], sentence: str) -> None:
    done = subprocess.run([sys.executable, PROGRAM, *arguments], capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert done.stderr.startswith(sentence)
    assert len(done.stderr.splitlines()) == 1


async def test_the_example_prints_every_message_once_and_in_order(stage: Stage) -> None:
    ada, grace = [await stage.here.register(name) for name in ("Ada", "Grace")]
    engines = await ada.converse(grace)
    said: list[str] = []

    async def say(count: int) -> None:
        for _ in range(count):
            said.append(f"message.created {len(said) + 1} number {len(said) + 1}")
            (await ada.say(engines, f"number {len(said)}")).good(201)

    await say(3)
    async with run(stage.there.url, grace) as (_, lines):
        await eventually(lambda: lines == said, WITHIN)
        await say(3)
        await eventually(lambda: lines == said, WITHIN)
        stage.there.kill()
        await say(5)
        await asyncio.to_thread(stage.bring_back)
        await say(2)
        await eventually(lambda: len(lines) >= len(said), WITHIN)
        stage.there.kill()
        more = asyncio.create_task(say(30))
        await asyncio.to_thread(stage.bring_back)
        await more
        await eventually(lambda: len(lines) >= len(said), WITHIN)
    assert lines == said


async def test_the_example_requests_a_lost_message(stage: Stage) -> None:
    ada, grace = [await stage.here.register(name) for name in ("Ada", "Grace")]
    engines = await ada.converse(grace)
    lost = Left(2)
    proxy = Proxy(stage.there.url, lambda: Leaky(lost))
    proxy.start()
    try:
        (await ada.say(engines, "first")).good(201)
        async with run(proxy.through, grace) as (_, lines):
            await eventually(lambda: len(lines) == 1, WITHIN)
            for text in ("lost", "lost too"):
                (await ada.say(engines, text)).good(201)
            await eventually(lambda: not lost.count)
            (await ada.say(engines, "heard")).good(201)
            await eventually(lambda: len(lines) >= 4, WITHIN)
    finally:
        proxy.stop()
    assert [line.split(" ", 2)[2] for line in lines] == ["first", "lost", "lost too", "heard"]


async def test_the_example_recovers_from_a_position_ahead_of_the_server(stage: Stage) -> None:
    """As after a restored backup: `resume` is answered by `reset`, and `changes` by 409."""
    ada, grace = [await stage.here.register(name) for name in ("Ada", "Grace")]
    engines = await ada.converse(grace)
    inflated = Left(1)
    proxy = Proxy(stage.there.url, lambda: Inflating(inflated))
    proxy.start()
    try:
        (await ada.say(engines, "before")).good(201)
        async with run(proxy.through, grace) as (_, lines):
            await eventually(lambda: len(lines) == 1, WITHIN)
            (await ada.say(engines, "inflated")).good(201)
            await eventually(lambda: len(lines) == 2, WITHIN)
            (await ada.say(engines, "after")).good(201)
            proxy.refuse()
            proxy.resume()
            await eventually(lambda: len(lines) >= 5, WITHIN)
    finally:
        proxy.stop()
    assert not inflated.count
    assert [line.split(" ", 2)[2] for line in lines] == ["before", "inflated", "before", "inflated", "after"]


async def test_the_example_keeps_its_refresh_token_while_it_is_throttled(stage: Stage) -> None:
    ada, grace = [await stage.here.register(name) for name in ("Ada", "Grace")]
    engines = await ada.converse(grace)
    refusing = Left(2)
    requested = list[bytes]()
    proxy = Proxy(stage.there.url, lambda: Throttling(refusing, requested))
    proxy.start()
    try:
        async with run(proxy.through, grace) as (_, lines):
            (await ada.say(engines, "first")).good(201)
            await eventually(lambda: len(lines) == 1, WITHIN)
            proxy.refuse()
            proxy.resume()
            await eventually(lambda: not refusing.count, WITHIN)
            (await ada.say(engines, "second")).good(201)
            await eventually(lambda: len(lines) == 2, WITHIN)
    finally:
        proxy.stop()
    assert requested.count(b"/api/v1/refresh/") == 2
    assert requested.count(b"/api/v1/login/") == 1, "a throttled refresh is no reason to log in again"


async def test_the_example_reads_a_long_history_over_rest(stage: Stage) -> None:
    ada, grace = [await stage.here.register(name) for name in ("Ada", "Grace")]
    engines = await ada.converse(grace)
    for first in range(0, MANY, 50):
        await asyncio.gather(*(ada.say(engines, f"{first + each}") for each in range(50)))
    history = [f"message.created {one['seq']} {one['text']}" for one in await ada.history(engines)]
    assert len(history) == MANY
    async with run(stage.there.url, grace) as (_, lines):
        await eventually(lambda: len(lines) >= MANY, WITHIN)
        last = (await ada.say(engines, "the last")).good(201)
        history.append(f"message.created {last['seq']} the last")
        await eventually(lambda: len(lines) > MANY, WITHIN)
    assert lines == history


async def test_the_example_exits_on_wrong_credentials(stage: Stage) -> None:
    ada = await stage.here.register("Ada")
    ada.email = "nobody@example.org"
    async with run(stage.there.url, ada) as (process, lines):
        assert await asyncio.wait_for(process.wait(), WITHIN) != 0
    assert lines == []
