"""The trial: each kind of hostile client, one after the other, beside 100 sends a second; what it costs the others.

Judged are the delay of the others' messages while the client is there, the memory of the process, and how soon after
the client has gone all is as before. The process has its default limits, except for messages; the client has an
address that is not this machine's, so that limits of an address apply to it (root alone can give it one).
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Final

import msgspec
import psutil

from app.local.processes import dying_with_us
from bench.crowds import Crowd
from tests.support.client import Node, Person
from tests.system.chaos.hostile import KINDS
from tests.system.chaos.hostile.ground import Ground
from tests.system.chaos.hostile.others import Others, Span
from tests.system.chaos.stage import Stage

SECONDS: Final = 60.0
CALM_SECONDS: Final = 20.0
RECOVERY_SECONDS: Final = 5.0
LOOK_SECONDS: Final = 0.5
READERS: Final = 20
MEMBERS: Final = 220
"""More than hear of typing and of read marks."""
AT_ONCE: Final = 6
LONG_MESSAGES: Final = 130
LONG_TEXT: Final = "é" * 8_000
TIMES: Final = 2.0
FLOOR_MS: Final = 50.0
"""A p99 below this is never too much: a few milliseconds double when anything else runs on the machine."""
MEGABYTES: Final = 64.0
ADDRESS: Final = "198.51.100.7"
"""For documentation (RFC 5737): no machine has it."""
DEFAULTS: Final = {
    "THROTTLE_REQUESTS": "600/minute",
    "THROTTLE_ADDRESS": "60/minute",
    "WS_FRAMES_PER_SECOND": "50",
}
HEAD: Final = (
    "  | client | p99 before | meanwhile | after | recovered after"
    " | CPU before | meanwhile | memory before | at most | what the client did |\n"
    "  |---|--:|--:|--:|--:|--:|--:|--:|--:|---|"
)

Say = Callable[[str], None]


class Judged(msgspec.Struct, kw_only=True):
    """What one kind of client cost. Memory in MB, CPU in shares of a core; `recovered`: seconds after its end."""

    kind: str
    before: Span
    beside: Span
    after: Span
    recovered: float
    idle_cpu: float
    busy_cpu: float
    memory: float
    most: float
    tally: Counter[str]

    @property
    def bound(self) -> float:
        return max(TIMES * self.before.p99, FLOOR_MS)

    def row(self) -> str:
        did = ", ".join(f"{count:,} {what}" for what, count in sorted(self.tally.items(), key=lambda one: -one[1]))
        return (
            f"  | {self.kind} | {self.before.p99:.1f} ms | {self.beside.p99:.1f} ms | {self.after.p99:.1f} ms"
            f" | {self.recovered:.1f} s | {self.idle_cpu:.0%} | {self.busy_cpu:.0%}"
            f" | {self.memory:.0f} MB | {self.most:.0f} MB | {did} |"
        )

    def problems(self) -> list[str]:
        found = []
        if self.beside.p99 > self.bound:
            found.append(f"p99 {self.beside.p99:.1f} ms, more than {self.bound:.1f} ms")
        for span in (self.before, self.beside, self.after):
            found += span.missing()
        if self.recovered > RECOVERY_SECONDS:
            found.append(f"p99 was above {self.bound:.1f} ms {self.recovered:.1f} s after it had gone")
        if self.most - self.memory > MEGABYTES:
            found.append(f"{self.most - self.memory:.0f} MB more")
        if not self.tally:
            found.append("it did nothing")
        return [f"{self.kind}: {one}" for one in found]


async def hostile(stage: Stage, say: Say, *, seconds: float = SECONDS, kinds: Sequence[str] = ()) -> list[str]:
    """`seconds` of each of `kinds` (none: all)."""
    place, quiet = stage.places
    eve, *everybody = await _registered(quiet.node, 1 + READERS + MEMBERS)
    people, members = everybody[:READERS], everybody[READERS:]
    conversation, long_conversation = await eve.converse(*members), await eve.converse()
    last_seq = (await eve.say(conversation, "hello")).good(201)["seq"]
    for _ in range(LONG_MESSAGES):
        (await eve.say(long_conversation, LONG_TEXT)).good(201)
    shared = await people[0].converse(*people[1:])
    await stage.exchange(place, {**DEFAULTS, "DATABASE_URL": stage.url, "REDIS_URL": stage.valkey.url})
    others, crowd = Others([person.at(place.node) for person in people], shared), Crowd(place.port)
    await crowd.open([person.access for person in (*people, *members)], others.heard)
    problems = []
    with _stranger(say) as address:
        ground = Ground(place.port, address, eve.access, eve.email, conversation, last_seq, long_conversation)
        async with others.writing():
            say(HEAD)
            for kind in kinds or KINDS:
                judged = await _judged(kind, ground, others, psutil.Process(place.running.process.pid), seconds)
                say(judged.row())
                problems += judged.problems()
    if crowd.lost is not None:
        problems.append(f"a socket of the others was {crowd.lost}")
    await crowd.leave()
    return problems


async def _judged(kind: str, ground: Ground, others: Others, process: psutil.Process, seconds: float) -> Judged:
    gc.collect()
    await asyncio.sleep(1)  # what was under way while this process collected is none of the figures
    others.forget()
    began = time.monotonic()
    spent = _cpu_seconds(process)
    await asyncio.sleep(min(CALM_SECONDS, seconds))
    calm = time.monotonic()  # the client's start is none of the figures
    idle_cpu = (_cpu_seconds(process) - spent) / (calm - began)
    memory = most = _megabytes(process)
    async with _attack(kind, ground) as tally:
        attacked, spent = time.monotonic(), _cpu_seconds(process)
        while time.monotonic() < attacked + seconds:
            await asyncio.sleep(LOOK_SECONDS)
            most = max(most, _megabytes(process))
        gone = time.monotonic()
        busy_cpu = (_cpu_seconds(process) - spent) / (gone - attacked)
    await asyncio.sleep(2 * RECOVERY_SECONDS)
    before, beside = others.span(began, calm), others.span(attacked, gone)
    return Judged(
        kind=kind,
        before=before,
        beside=beside,
        after=others.span(gone + RECOVERY_SECONDS, gone + 1.5 * RECOVERY_SECONDS),
        recovered=others.slow_until(gone, gone + 1.5 * RECOVERY_SECONDS, max(TIMES * before.p99, FLOOR_MS)),
        idle_cpu=idle_cpu,
        busy_cpu=busy_cpu,
        memory=memory,
        most=most,
        tally=tally,
    )


async def _registered(node: Node, count: int) -> list[Person]:
    gate = asyncio.Semaphore(AT_ONCE)

    async def register(number: int) -> Person:
        async with gate:
            return await node.register(f"Person{number}")

    return list(await asyncio.gather(*(register(number) for number in range(count))))


def _megabytes(process: psutil.Process) -> float:
    return float(process.memory_info().rss) / 2**20


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


@asynccontextmanager
async def _attack(kind: str, ground: Ground) -> AsyncIterator[Counter[str]]:
    """This client, for as long as the context lasts; what it did is there afterwards."""
    tally: Counter[str] = Counter()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.system.chaos.hostile", kind),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        preexec_fn=dying_with_us(signal.SIGTERM),
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(msgspec.json.encode(ground) + b"\n")
        await process.stdin.drain()
        async with asyncio.timeout(30):
            assert await process.stdout.readline() == b"begun\n"
        yield tally
        if process.returncode is None:
            process.terminate()
        async with asyncio.timeout(30):
            tally.update(msgspec.json.decode(await process.stdout.readline() or b"{}", type=dict[str, int]))
            await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@contextmanager
def _stranger(say: Say) -> Iterator[str]:
    """A network address that is not this machine's, on the loopback; without root this machine's own."""
    if os.geteuid():
        say("  without root the clients have this machine's own address: limits of an address do not apply to them")
        yield "127.0.0.1"
        return
    subprocess.run(["ip", "address", "add", f"{ADDRESS}/32", "dev", "lo"], check=True, timeout=10)
    try:
        yield ADDRESS
    finally:
        subprocess.run(["ip", "address", "del", f"{ADDRESS}/32", "dev", "lo"], check=True, timeout=10)
