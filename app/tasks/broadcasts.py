"""Broadcasts, every few seconds: what is due is sent, mails are posted as fast as planned, and outcomes are counted.

All of it is derived from the rows, whose locks keep two rounds apart; a round that was killed is made good by the next.
"""

from __future__ import annotations

import time

import structlog
from celery import shared_task

from app.domain.broadcasts import mail_batches, publish
from app.tasks.base import PeriodicTask
from app.tasks.context import TaskContext, worker_runtime

log = structlog.get_logger(__name__)

TURN_SECONDS = 20.0
"""Below the task's limit; what is left is the next round's."""


@shared_task(name="chat.broadcasts.advance", base=PeriodicTask)
def advance() -> int:
    """Go on with all broadcasts; the number of mails posted."""
    return worker_runtime.run(_advance)


async def _advance(tools: TaskContext) -> int:
    end = time.monotonic() + TURN_SECONDS
    while time.monotonic() < end:
        async with tools.database.transaction() as session:
            sent = await publish.send_next(session)
        if sent is None:
            break
        log.info("broadcast_sent", broadcast=str(sent))
    posted = 0
    while time.monotonic() < end:
        async with tools.database.transaction() as session:
            mails = await mail_batches.post_next(session)
        if mails is None:
            break
        posted += mails
    while time.monotonic() < end:
        async with tools.database.transaction() as session:
            settled = await mail_batches.settle_next(session)
        if not settled:
            break
    if posted:
        log.info("broadcast_mails_posted", mails=posted)
    return posted
