"""Deletes expired rows (tickets, tokens, logins, mails …) and republishes failed tasks on request."""

from __future__ import annotations

from functools import partial
from uuid import UUID

import structlog
from celery import current_app, shared_task
from kombu.exceptions import OperationalError

from app.domain.audit import log as trail
from app.domain.auth import cleanup
from app.domain.broadcasts import mail_batches
from app.domain.jobs import failed_tasks
from app.domain.mails import outbox
from app.domain.notifications import queries
from app.domain.throttling import policies
from app.tasks.base import PeriodicTask
from app.tasks.context import TaskContext, worker_runtime

log = structlog.get_logger(__name__)

MAX_RETRIES = 200


class SweepFailed(Exception):
    """At least one sweep failed. The log says which."""


@shared_task(name="chat.upkeep.expire", base=PeriodicTask)
def expire() -> int:
    """Deletes expired rows. Returns their number."""
    return worker_runtime.run(_expire)


@shared_task(name="chat.upkeep.run_again", base=PeriodicTask)
def run_again() -> int:
    """Republishes the failed tasks that operators marked for retry. Returns their number."""
    return worker_runtime.run(_run_again)


async def _run_again(context: TaskContext) -> int:
    async with context.database.transaction() as session:
        again = await failed_tasks.retry_requests(session, MAX_RETRIES)
        known = [one for one in again if one.task in current_app.tasks]
        await failed_tasks.mark_refused(session, [one.id for one in again if one not in known])
        done: list[UUID] = []
        try:
            for one in known:
                # Published before it is recorded: a crash in between makes it run twice, which is safe.
                current_app.tasks[one.task].apply_async(tuple(one.arguments))
                done.append(one.id)
        except OperationalError:
            log.warning("not_handed_over_again", tasks=len(known) - len(done))  # broker away: the next run retries
        await failed_tasks.mark_retried(session, done)
    if done:
        log.info("handed_over_again", tasks=len(done))
    return len(done)


async def _expire(context: TaskContext) -> int:
    gone, unswept = 0, 0
    sweeps = (cleanup.sweep, outbox.sweep, queries.sweep, failed_tasks.sweep, policies.sweep, mail_batches.sweep)
    for sweep in (*sweeps, partial(trail.sweep, keeping=context.audit)):
        # Each has its own transaction: a failing sweep must not stop the others.
        try:
            async with context.database.transaction() as session:
                gone += await sweep(session)
        except Exception:
            log.exception("sweep_failed")
            unswept += 1
    if gone:
        log.info("expired", rows=gone)
    if unswept:
        raise SweepFailed(f"{unswept} of {len(sweeps) + 1} sweeps failed")
    return gone
