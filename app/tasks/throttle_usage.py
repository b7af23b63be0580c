"""Moves throttle usage counts from Redis to Postgres every minute: each minute exactly once, or not at all.

A batch is deleted from Redis only after COMMIT, and Postgres stores its id: a worker killed in between, or a second
worker at the same time, neither duplicates nor loses it.
"""

from __future__ import annotations

import time
from typing import Final

import structlog
from celery import shared_task

from app.domain.errors import Unavailable
from app.domain.throttling import usage
from app.tasks.context import TaskContext, worker_runtime
from app.tasks.task_classes import PeriodicTask

log = structlog.get_logger(__name__)

TURN_SECONDS: Final = 40.0
"""Below the task's time limit. The next run does the remaining work."""


@shared_task(name="chat.analytics.bring_counts", base=PeriodicTask)
def fetch_usage() -> int:
    """Transfers the batches of completed minutes. Returns their number."""
    return worker_runtime.run(_transfer)


async def _transfer(context: TaskContext) -> int:
    end, transferred = time.monotonic() + TURN_SECONDS, 0
    try:
        for minute in await context.usage_mover.open_batches():
            if time.monotonic() >= end or not await fetch_batch(context, minute):
                break
            transferred += 1
    except Unavailable as error:
        log.warning("usage_not_transferred", error=error.code)
    async with context.database.transaction() as session:
        await usage.sweep(session)
    return transferred


async def fetch_batch(context: TaskContext, minute: int) -> bool:
    """Transfers the batch of one minute. Returns False if another worker is adding batches."""
    batch = await context.usage_mover.read(minute)
    if batch is None:
        return True
    async with context.database.transaction() as session:
        is_added = await usage.add(session, batch, context.subjects)
    if is_added:
        await context.usage_mover.drop(batch)
    return is_added
