"""Faults of Postgres: connections end, the server restarts or crashes, COMMIT waits."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from tests.support.standby import commits_that_wait, require_standby
from tests.system.chaos.record import NotFired

if TYPE_CHECKING:
    from tests.system.chaos.driver import Driver

RETURN_SECONDS: Final = 5.0
WAITS: Final = 2
WAIT_SECONDS: Final = 2.5
BURST: Final = 5


async def postgres_ends_connections(driver: Driver) -> None:
    """All of the chat's connections, at once, wherever they are in their transactions."""

    def end() -> int:
        with driver.stage.postgres.connect() as connection:
            rows = connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'chat' AND pid <> pg_backend_pid()"
            ).fetchall()
            return len(rows)

    if not await asyncio.to_thread(end):
        raise NotFired
    await sends_return(driver)


def postgres_restarts(number: signal.Signals) -> Callable[[Driver], Awaitable[None]]:
    async def inject(driver: Driver) -> None:
        stage = driver.stage
        process = stage.postgres.process
        if process is None:
            raise NotFired
        process.send_signal(number)
        await stage.do(lambda: process.wait(15))
        await asyncio.sleep(driver.dice.uniform(0.1, 1.0))
        await stage.do(stage.postgres.start)
        await sends_return(driver)

    return inject


async def commits_wait(driver: Driver) -> None:
    """COMMIT waits for a standby that is not there, twice, while many send without a client_id."""
    stage = driver.stage
    for _ in range(WAITS):
        waiting = 0
        await stage.do(lambda: require_standby(stage.postgres, "nowhere"))
        sending = [asyncio.create_task(writer.burst(place, BURST)) for writer, place in driver.keyless]
        try:
            end = time.monotonic() + WAIT_SECONDS
            while time.monotonic() < end:
                await asyncio.sleep(0.2)
                waiting = max(waiting, await stage.do(lambda: commits_that_wait(stage.postgres)))
        finally:
            await stage.do(lambda: require_standby(stage.postgres, ""))
            await asyncio.gather(*sending)
        if not waiting:
            raise NotFired
        await sends_return(driver)


async def sends_return(driver: Driver) -> None:
    """I16: at both processes, within 5 s of the database's return, with no process restarted."""
    began = time.monotonic()
    for place in driver.stage.up:
        before = place.running.process.pid
        while True:
            if await driver.probe.send(place) in (200, 201):
                break
            waited = time.monotonic() - began
            if waited > RETURN_SECONDS * driver.record.patience + driver.record.stalled(began, time.monotonic()):
                driver.problem(f"I16: {waited:.1f} s after Postgres came back, {place.name} still refuses sends")
                break
            await asyncio.sleep(0.05)
        if not place.running.is_running or place.running.process.pid != before:
            driver.problem(f"I16: {place.name} did not live through it")
