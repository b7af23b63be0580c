"""The hostile clients: each kind does what it is for, and what is judged of them turns red."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress

import msgspec
import pytest

from tests.support.client import eventually
from tests.system.chaos.hostile import KINDS
from tests.system.chaos.hostile.ground import Ground, Tally
from tests.system.chaos.hostile.others import Span
from tests.system.chaos.hostile.trial import Judged

ONLY_CONNECT = ("open-and-close", "idle-connections")
GOOD = Span(p99=10.0, due=100, came=100, failed=Counter())
HARMLESS = Judged(
    kind="typing",
    before=GOOD,
    beside=GOOD,
    after=GOOD,
    recovered=0.0,
    idle_cpu=0.3,
    busy_cpu=0.4,
    memory=100.0,
    most=110.0,
    tally=Tally(frames=1),
)


@pytest.fixture
async def ground() -> AsyncIterator[Ground]:
    """A server that answers whatever it reads."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while await reader.read(65_536):
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        yield Ground(port, "127.0.0.3", "token", "ada@example.org", "one", 1, "another")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_hostile_client_does_something(kind: str, ground: Ground) -> None:
    tally = Tally()
    attack = asyncio.create_task(KINDS[kind](ground, tally))
    try:
        await eventually(lambda: attack.done() or len(tally) > (kind not in ONLY_CONNECT))
        assert not attack.done(), attack.result()
        assert tally["connections"]
    finally:
        attack.cancel()
        await asyncio.wait({attack})


def test_a_harmless_client_is_no_problem() -> None:
    assert HARMLESS.problems() == []


@pytest.mark.parametrize(
    ("said", "changes"),
    [
        ("p99 51.0 ms, more than 50.0 ms", {"beside": msgspec.structs.replace(GOOD, p99=51.0)}),
        ("2 of 100 deliveries missing", {"beside": msgspec.structs.replace(GOOD, came=98)}),
        ("3 sends of the others: 503", {"beside": msgspec.structs.replace(GOOD, failed=Counter({"503": 3}))}),
        ("p99 was above 50.0 ms 5.5 s after", {"recovered": 5.5}),
        ("65 MB more", {"most": 165.0}),
        ("it did nothing", {"tally": Tally()}),
    ],
)
def test_a_harmful_client_is_one(said: str, changes: dict[str, object]) -> None:
    (problem,) = msgspec.structs.replace(HARMLESS, **changes).problems()
    assert said in problem


def test_a_p99_may_double() -> None:
    slow = msgspec.structs.replace(HARMLESS, before=msgspec.structs.replace(GOOD, p99=40.0))
    assert msgspec.structs.replace(slow, beside=msgspec.structs.replace(GOOD, p99=80.0)).problems() == []
    assert msgspec.structs.replace(slow, beside=msgspec.structs.replace(GOOD, p99=81.0)).problems()
