"""Hostile clients at the socket, one kind after the other, beside people who write: what it costs the others.

Each of `KINDS` goes on for as long as it is let; a connection that the server ends is opened again. Meanwhile 100
messages a second are sent to a conversation with readers: their delay, the memory of the process, and both five seconds
after the client has gone are what is judged.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import msgspec
import psutil

from bench.crowds import Crowd
from tests.support.client import Person
from tests.support.raw_sockets import CONT, PING, PONG, TEXT, RawSocket, frame, head, raw_socket
from tests.system.chaos.latency import Lags, Latency
from tests.system.chaos.stage import Stage

SECONDS: Final = 60.0
CALM_SECONDS: Final = 20.0
RECOVERY_SECONDS: Final = 5.0
PAUSE: Final = 0.01
"""Between two messages of the others: 100 a second."""
READERS: Final = 20
TIMES: Final = 2.0
MEGABYTES: Final = 64
SOCKETS: Final = 20
MEMBERS: Final = 300
AT_ONCE: Final = 2_000
FASTER: Final = 0.02
"""Of a client that sends one frame at a time: the most that WS_FRAMES_PER_SECOND allows."""


class Ground(msgspec.Struct, frozen=True):
    """Where a hostile client goes: the port of a process, an account of its own, and a conversation it is in."""

    port: int
    person: Person
    conversation: str
    last_seq: int


Kind = Callable[[Ground], Coroutine[Any, Any, None]]


async def empty_continuations(ground: Ground) -> None:
    """A message in pieces of nothing, without an end."""
    flood = frame(TEXT, b"{", fin=False) + frame(CONT, fin=False) * AT_ONCE
    await _flood(ground, ground.person.access, flood, then=frame(CONT, fin=False) * AT_ONCE)


async def unread_pings(ground: Ground) -> None:
    """Pings whose answers nobody reads."""
    await _flood(ground, ground.person.access, frame(PING, b"x" * 125) * AT_ONCE, room=4_096)


async def patient_pings(ground: Ground) -> None:
    """The same within the allowance, on many sockets, for as long as they last."""
    await asyncio.gather(*(_drip(ground, lambda _: frame(PING, b"x" * 125), room=4_096) for _ in range(SOCKETS)))


async def pongs_when_refused(ground: Ground) -> None:
    """Pongs through sockets that have no token."""
    await asyncio.gather(*(_flood(ground, "", frame(PONG) * AT_ONCE) for _ in range(SOCKETS)))


async def typing(ground: Ground) -> None:
    """Typing from twenty sockets, as fast as a socket may."""
    said = frame(TEXT, msgspec.json.encode({"type": "typing", "conversation": ground.conversation}))
    await asyncio.gather(*(_drip(ground, lambda _: said) for _ in range(SOCKETS)))


async def read_marks(ground: Ground) -> None:
    """Read marks from twenty sockets, as fast as a socket may."""

    def said(number: int) -> bytes:
        seq = number % (ground.last_seq + 1)
        return frame(TEXT, msgspec.json.encode({"type": "read", "conversation": ground.conversation, "seq": seq}))

    await asyncio.gather(*(_drip(ground, said) for _ in range(SOCKETS)))


KINDS: Final[dict[str, Kind]] = {
    "empty continuation frames": empty_continuations,
    "pings that nobody reads": unread_pings,
    "pings that nobody reads, within the allowance": patient_pings,
    "pongs on refused sockets": pongs_when_refused,
    "typing": typing,
    "read marks": read_marks,
}


@asynccontextmanager
async def hostile(kind: Kind, ground: Ground) -> AsyncIterator[None]:
    """This client, for as long as the context lasts."""
    task = asyncio.create_task(kind(ground))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def hostile_sockets(stage: Stage, say: Callable[[str], None]) -> list[str]:
    place = stage.places[0]
    people = [await place.node.register(f"Reader{number}") for number in range(READERS)]
    ada, eve = [await place.node.register(name) for name in ("Ada", "Eve")]
    latency = Latency(ada, await ada.converse(*people), pause=PAUSE)
    members = [await place.node.register(f"Member{number}") for number in range(MEMBERS)]
    conversation = await eve.converse(*members)
    last_seq = (await eve.say(conversation, "hello")).good(201)["seq"]
    ground = Ground(place.port, eve, conversation, last_seq)
    crowd = Crowd(place.port)
    await crowd.open([person.access for person in (*people, *members)], latency.heard)
    problems = []
    for name, kind in KINDS.items():
        problems += [f"{name}: {problem}" for problem in await _judged(name, kind, ground, latency, stage, say)]
    crowd.require()
    await crowd.leave()
    return problems


async def _judged(
    name: str, kind: Kind, ground: Ground, latency: Latency, stage: Stage, say: Callable[[str], None]
) -> list[str]:
    process = psutil.Process(stage.places[0].running.process.pid)
    before = await latency.play(CALM_SECONDS)
    gc.collect()
    memory = process.memory_info().rss
    async with hostile(kind, ground):
        beside = await latency.play(SECONDS)
        grown = (process.memory_info().rss - memory) / 2**20
    await asyncio.sleep(RECOVERY_SECONDS)
    after = await latency.play(RECOVERY_SECONDS)
    say(f"  {name}: before {before}; beside {beside}; after {after}; {grown:+.0f} MB")
    bound = TIMES * before.at(0.99)
    problems = [f"p99 {_worse(lags, bound)}" for lags in (beside, after) if lags.at(0.99) > bound]
    return problems if grown <= MEGABYTES else [*problems, f"{grown:.0f} MB more"]


def _worse(lags: Lags, bound: float) -> str:
    return f"{lags.at(0.99):.1f} ms, more than {bound:.1f} ms"


async def _flood(ground: Ground, access: str, data: bytes, *, then: bytes = b"", room: int | None = None) -> None:
    """All at once, again and again; a new connection where the server has ended the old one."""
    while True:
        async with raw_socket(ground.port, room=room) as socket:
            await socket.shake(head(access))
            while await socket.send(data, seconds=1):
                data = then or data
                await asyncio.sleep(0)
        await asyncio.sleep(0.01)


async def _drip(ground: Ground, said: Callable[[int], bytes], *, room: int | None = None) -> None:
    """One frame at a time. What the server says is read, unless the client has `room` for a little only."""
    while True:
        async with raw_socket(ground.port, room=room) as socket:
            await socket.shake(head(ground.person.access))
            reading = None if room else asyncio.create_task(_read_on(socket))
            for number in itertools.count():
                if socket.ended or not await socket.send(said(number), seconds=1):
                    break
                await asyncio.sleep(FASTER)
            if reading is not None:
                reading.cancel()
        await asyncio.sleep(0.1)


async def _read_on(socket: RawSocket) -> None:
    while await socket.read() is not None:
        continue
