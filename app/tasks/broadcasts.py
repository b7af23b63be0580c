"""Advances broadcasts every few seconds: sends those due, queues their mails at the set rate and counts outcomes.

All work is derived from rows. Row locks keep concurrent runs apart, and the next run completes one that was killed.
"""

from __future__ import annotations

import time

import structlog
from celery import shared_task

from app.domain.broadcasts import mail_batches, publish
from app.tasks.context import TaskContext, worker_runtime
from app.tasks.task_classes import PeriodicTask

log = structlog.get_logger(__name__)

TURN_SECONDS = 20.0
"""Below the task's time limit. The next run does the remaining work."""


@shared_task(name="chat.broadcasts.advance", base=PeriodicTask)
def advance() -> int:
    """Advances all broadcasts. Returns the number of mails queued."""
    return worker_runtime.run(_advance)


async def _advance(context: TaskContext) -> int:
    end = time.monotonic() + TURN_SECONDS
    while time.monotonic() < end:
        async with context.database.transaction() as session:
            sent = await publish.send_next(session)
        if sent is None:
            break
        log.info("broadcast_sent", broadcast=str(sent))
    posted = 0
    while time.monotonic() < end:
        async with context.database.transaction() as session:
            mails = await mail_batches.post_next(session)
        if mails is None:
            break
        posted += mails
    while time.monotonic() < end:
        async with context.database.transaction() as session:
            settled = await mail_batches.settle_next(session)
        if not settled:
            break
    if posted:
        log.info("broadcast_mails_posted", mails=posted)
    return posted
