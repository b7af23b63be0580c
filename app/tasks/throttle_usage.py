"""What the throttles counted, brought from Redis to Postgres every minute: each minute exactly once, or not at all.

A flight is dropped from Redis only after COMMIT, and Postgres knows its name: a worker that was killed in between, or a
second one at the same time, neither doubles nor loses it.
"""

from __future__ import annotations

import time
from typing import Final

import structlog
from celery import shared_task

from app.domain.errors import Unavailable
from app.domain.throttling import usage
from app.tasks.base import PeriodicTask
from app.tasks.context import TaskContext, worker_runtime

log = structlog.get_logger(__name__)

TURN_SECONDS: Final = 40.0
"""Below the task's limit; what is left is the next one's."""


@shared_task(name="chat.analytics.bring_counts", base=PeriodicTask)
def fetch_usage() -> int:
    """Bring home what is over; the number of minutes."""
    return worker_runtime.run(_bring)


async def _bring(tools: TaskContext) -> int:
    end, brought = time.monotonic() + TURN_SECONDS, 0
    try:
        for minute in await tools.tallies.flights():
            if time.monotonic() >= end or not await fetch_batch(tools, minute):
                break
            brought += 1
    except Unavailable as error:
        log.warning("counts_wait", error=error.code)
    async with tools.database.transaction() as session:
        await usage.sweep(session)
    return brought


async def fetch_batch(tools: TaskContext, minute: int) -> bool:
    """One minute's flight; False when somebody else is at it."""
    flight = await tools.tallies.read(minute)
    if flight is None:
        return True
    async with tools.database.transaction() as session:
        arrived = await usage.add(session, flight, tools.subjects)
    if arrived:
        await tools.tallies.drop(flight)
    return arrived
