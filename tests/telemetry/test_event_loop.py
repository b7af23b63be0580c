"""The delay of the event loop is measured: a blocked loop reports how long."""

from __future__ import annotations

import asyncio
import time

from app.settings import Settings
from app.telemetry import event_loop
from tests.support.web import Client, running


def longer_than(text: str, bound: float) -> float:
    """How many looks found a delay of more than `bound` seconds."""
    counts = {
        line.partition('le="')[2].partition('"')[0]: float(line.rpartition(" ")[2])
        for line in text.splitlines()
        if line.startswith("chat_event_loop_delay_seconds_bucket")
    }
    return counts["+Inf"] - counts[str(bound)]


def _keep_busy(seconds: float) -> None:
    """Blocks the event loop, which no code may do."""
    time.sleep(seconds)


async def metrics(api: Client) -> str:
    return (await api.get("/metrics")).text


def watchers() -> int:
    """Applications that watch this loop; a fixture of another module may keep one running. Each counts the delay."""
    coroutines = [task.get_coro() for task in asyncio.all_tasks()]
    return sum(getattr(one, "cr_code", None) is event_loop.watch.__code__ for one in coroutines)


async def test_a_busy_event_loop_reports_its_delay(settings: Settings) -> None:
    async with running(settings) as api:
        await asyncio.sleep(3 * event_loop.SAMPLE_SECONDS)
        before = longer_than(await metrics(api), 1.0)
        # Longer than any neighbour on this machine keeps it waiting.
        _keep_busy(1.5)
        await asyncio.sleep(3 * event_loop.SAMPLE_SECONDS)
        assert watchers() >= 1
        assert longer_than(await metrics(api), 1.0) == before + watchers()
