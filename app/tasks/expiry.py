"""Deletes expired rows: tickets, tokens, logins, mails and more."""

from __future__ import annotations

from functools import partial

import structlog
from celery import shared_task

from app.domain.audit import log as audit_log
from app.domain.auth import cleanup
from app.domain.broadcasts import mail_batches
from app.domain.jobs import failed_tasks
from app.domain.mails import outbox
from app.domain.notifications import queries
from app.domain.throttling import policies
from app.tasks.context import TaskContext, worker_runtime
from app.tasks.task_classes import PeriodicTask

log = structlog.get_logger(__name__)


class SweepFailed(Exception):
    """At least one sweep failed. The log says which."""


@shared_task(name="chat.upkeep.expire", base=PeriodicTask)
def expire() -> int:
    """Deletes expired rows. Returns their number."""
    return worker_runtime.run(_expire)


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
