"""The faults: each breaks one thing, checks what must hold during the fault, heals it, and reports what did not hold.

A fault raises NotFired when what it set out to break was never broken: that fails the run. None touches a process that
this run did not start.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import msgspec
import psycopg

from tests.support.wires import Where
from tests.system.chaos import errands, strains
from tests.system.chaos.database_faults import commits_wait, postgres_ends_connections, postgres_restarts
from tests.system.chaos.record import NotFired, Stop
from tests.system.chaos.stage import Place

if TYPE_CHECKING:
    from tests.system.chaos.driver import Driver

STOP_SECONDS: Final = 20.0
SPRING_SECONDS: Final = 10.0


class Fault(msgspec.Struct, frozen=True):
    """`seconds`: about how long it takes. `redis`: Redis is away during it, and no request may wait for Redis.

    `restarts`: an API process goes and another comes, so both must be there before.
    """

    name: str
    inject: Callable[[Driver], Awaitable[None]]
    seconds: float = 3.0
    redis: bool = False
    restarts: bool = False

    @property
    def long(self) -> bool:
        return self.seconds >= 30


async def kill(driver: Driver) -> None:
    """kill -9 of an API process, whatever it is doing."""
    place = driver.some_place()
    place.up.clear()
    await driver.stage.do(place.running.kill)
    await driver.bring_back(place)


def killed_at(where: Where) -> Callable[[Driver], Awaitable[None]]:
    async def inject(driver: Driver) -> None:
        place = driver.some_place()
        api = place.running
        await sprung(driver, place, where, lambda: api.process.send_signal(signal.SIGKILL))
        place.up.clear()
        await driver.stage.do(lambda: api.process.wait(5))
        await driver.bring_back(place)

    return inject


def cut_at(where: Where) -> Callable[[Driver], Awaitable[None]]:
    async def inject(driver: Driver) -> None:
        await sprung(driver, driver.some_place(), where, None)

    return inject


async def sprung(driver: Driver, place: Place, where: Where, then: Callable[[], None] | None) -> None:
    """The trap in this process's way to Postgres, until some send walks into it."""
    place.trap.set(where, b"send_messages", then)
    deadline = time.monotonic() + SPRING_SECONDS
    while not place.trap.fired:
        if time.monotonic() > deadline:
            place.trap.where = None
            raise NotFired
        await asyncio.sleep(0.005)
    if where == "after":
        await asyncio.sleep(0.1)  # until the COMMIT it let through is answered


def redis_down(seconds: float) -> Callable[[Driver], Awaitable[None]]:
    async def inject(driver: Driver) -> None:
        await driver.stage.do(driver.stage.valkey.stop)
        try:
            await driver.probe.all_works(seconds)
        finally:
            await driver.stage.do(driver.stage.valkey.start)

    return inject


async def servers_gone_in_turn(driver: Driver) -> None:
    """Postgres restarts, crashes, Redis is gone for a second, and Postgres ends all connections, one upon the other.

    Tasks are in all their stages then, and what runs every five seconds must run again soon after.
    """
    await postgres_restarts(signal.SIGINT)(driver)
    await postgres_restarts(signal.SIGQUIT)(driver)
    await redis_down(1)(driver)
    await postgres_ends_connections(driver)
    await errands.periodic_tasks_run(driver)


def redis_stopped(seconds: float) -> Callable[[Driver], Awaitable[None]]:
    async def inject(driver: Driver) -> None:
        process = driver.stage.valkey.process
        if process is None:
            raise NotFired
        process.send_signal(signal.SIGSTOP)
        try:
            await driver.probe.all_works(seconds)
        finally:
            process.send_signal(signal.SIGCONT)

    return inject


def redis_swallowed(seconds: float) -> Callable[[Driver], Awaitable[None]]:
    async def inject(driver: Driver) -> None:
        ways = [place.redis for place in driver.stage.places]
        before = sum(way.swallowed for way in ways)
        for way in ways:
            way.swallow()
        try:
            await driver.probe.all_works(seconds)
        finally:
            for way in ways:
                way.resume()
        if sum(way.swallowed for way in ways) == before:
            raise NotFired

    return inject


async def flushall(driver: Driver) -> None:
    await driver.probe.flush()


async def told_to_stop(driver: Driver) -> None:
    """SIGTERM under load: sockets 1012, exit 0, within 20 s."""
    place = driver.some_place()
    api, there = place.running, [reader for reader in driver.readers if reader.place is place]
    marks = [len(reader.timeline.entries) for reader in there]
    began = time.monotonic()
    place.up.clear()
    api.signal(signal.SIGTERM)
    with suppress(Exception):
        await driver.stage.do(lambda: api.process.wait(STOP_SECONDS + 5))
    seconds = time.monotonic() - began
    await asyncio.sleep(0.1)
    closes = []
    for reader, mark in zip(there, marks, strict=True):
        ends = [entry.data for entry in reader.timeline.entries[mark:] if entry.kind == "closed"]
        closes += [code for name, code in ends[:1] if name == place.name]
    driver.record.stops.append(Stop(node=place.name, seconds=seconds, exit_code=api.process.poll(), closes=closes))
    if api.is_running:
        await driver.stage.do(api.kill)
    await driver.bring_back(place)


def api_stopped(seconds: float) -> Callable[[Driver], Awaitable[None]]:
    async def inject(driver: Driver) -> None:
        place = driver.some_place()
        place.running.signal(signal.SIGSTOP)
        place.up.clear()
        try:
            await asyncio.sleep(seconds)
        finally:
            place.running.signal(signal.SIGCONT)
            place.up.set()

    return inject


async def removal_races(driver: Driver) -> None:
    """A user is removed while they send from both processes as fast as they can."""
    if not await driver.race_a_removal():
        raise NotFired


def storm(sockets: int) -> Callable[[Driver], Awaitable[None]]:
    async def inject(driver: Driver) -> None:
        """All sockets lost at once, and many more that open together."""
        for reader in driver.readers:
            await reader.drop()
        await driver.crowd.rush(driver, sockets)

    return inject


SHORT: Final = (
    Fault("kill -9 of an API process", kill, 4, restarts=True),
    Fault("kill -9 before COMMIT", killed_at("before"), 4, restarts=True),
    Fault("kill -9 after COMMIT, before publish", killed_at("after"), 4, restarts=True),
    Fault("connection lost before COMMIT", cut_at("before"), 1),
    Fault("connection lost after COMMIT", cut_at("after"), 1),
    Fault("Postgres ends all connections", postgres_ends_connections, 1),
    Fault("Postgres restarts", postgres_restarts(signal.SIGINT), 3),
    Fault("Postgres crashes", postgres_restarts(signal.SIGQUIT), 3),
    Fault("COMMIT waits for a standby", commits_wait, 6),
    Fault("Redis down 1 s", redis_down(1), 2, redis=True),
    Fault("Postgres twice, Redis and all connections", servers_gone_in_turn, 12),
    Fault("Redis FLUSHALL", flushall, 1),
    Fault("Redis silent (SIGSTOP)", redis_stopped(1.5), 2, redis=True),
    Fault("Redis silent (proxy swallows)", redis_swallowed(1.5), 2, redis=True),
    Fault("SIGTERM under load", told_to_stop, 5, restarts=True),
    Fault("SIGSTOP of an API process", api_stopped(1.5), 2, restarts=True),
    Fault("removal racing sends", removal_races, 2),
    Fault("sockets reconnect at once", storm(100), 3),
    Fault("Redis full", strains.redis_full, 3, redis=True),
    Fault("a socket that stops reading", strains.stops_reading, 3),
    Fault("a flood of frames", strains.floods, 3),
    Fault("kill -9 of a worker in a task", errands.worker_killed, 5),
    Fault("kill -9 of a task's process", errands.task_killed, 3),
    Fault("the same task delivered again", errands.delivered_again, 2),
)
MIDDLE: Final = (
    Fault("Redis down 10 s", redis_down(10), 11, redis=True),
    Fault("a clock five minutes ahead", strains.clock_ahead, 10, restarts=True),
    Fault("two beats", errands.two_beats, 8),
)
LONG: Final = (
    Fault("Redis down 60 s", redis_down(60), 61, redis=True),
    Fault("SIGSTOP of an API process, 30 s", api_stopped(30), 31, restarts=True),
    Fault("Redis silent (SIGSTOP) 60 s", redis_stopped(60), 61, redis=True),
    Fault("1,000 sockets reconnect at once", storm(1_000), 30),
)


async def positions(url: str, conversations: list[str]) -> dict[str, int]:
    """Returns the position of each conversation in the database; empty if the database is unavailable."""
    with suppress(psycopg.Error, TimeoutError):
        connection = await psycopg.AsyncConnection.connect(url, autocommit=True, connect_timeout=3)
        async with connection:
            rows = await connection.execute(
                "SELECT id::text, position FROM conversations WHERE id = ANY(%s::uuid[])", [conversations]
            )
            return {str(one): int(position) for one, position in await rows.fetchall()}
    return {}
