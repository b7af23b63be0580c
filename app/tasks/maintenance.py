"""Deletes expired rows (tickets, tokens, logins, mails …) and republishes failed tasks on request."""

from __future__ import annotations

from functools import partial
from uuid import UUID

import structlog
from celery import current_app, shared_task
from kombu.exceptions import OperationalError

from app.domain.audit import log as audit_log
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
        marked = await failed_tasks.retry_requests(session, MAX_RETRIES)
        known = [marked_task for marked_task in marked if marked_task.task in current_app.tasks]
        await failed_tasks.mark_refused(session, [marked_task.id for marked_task in marked if marked_task not in known])
        done: list[UUID] = []
        try:
            for marked_task in known:
                # Published before it is recorded: a crash in between makes it run twice, which is safe.
                current_app.tasks[marked_task.task].apply_async(tuple(marked_task.arguments))
                done.append(marked_task.id)
        except OperationalError:
            # The broker is unavailable: the next run retries.
            log.warning("tasks_not_republished", tasks=len(known) - len(done))
        await failed_tasks.mark_retried(session, done)
    if done:
        log.info("tasks_republished", tasks=len(done))
    return len(done)


async def _expire(context: TaskContext) -> int:
    deleted, failed = 0, 0
    sweeps = (cleanup.sweep, outbox.sweep, queries.sweep, failed_tasks.sweep, policies.sweep, mail_batches.sweep)
    for sweep in (*sweeps, partial(audit_log.sweep, keeping=context.audit)):
        # Each has its own transaction: a failing sweep must not stop the others.
        try:
            async with context.database.transaction() as session:
                deleted += await sweep(session)
        except Exception:
            log.exception("sweep_failed")
            failed += 1
    if deleted:
        log.info("expired", rows=deleted)
    if failed:
        raise SweepFailed(f"{failed} of {len(sweeps) + 1} sweeps failed")
    return deleted
