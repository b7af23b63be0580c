"""`RetriedTask` is enqueued by an event and retried; `PeriodicTask` runs on a schedule, so it is not.

A job is tried six times, with pauses of up to 1, 2, 4, 8 and 16 seconds. One that ran into its time limit is not: it
would only keep a worker from its neighbours as long again. One whose worker process died is tried as often as one that
failed, so that a task which kills whoever takes it comes to an end.
"""

from __future__ import annotations

from typing import Any, ClassVar

from celery import Task
from celery.exceptions import SoftTimeLimitExceeded

from app.domain.errors import ChatError

RETRIES = 5


class RetriedTask(Task):
    """Tried again with growing pauses; then it is in the list of failed tasks."""

    abstract = True
    # Refusals and outages: Celery notes them in a line, without a traceback.
    throws: ClassVar[tuple[type[Exception], ...]] = (ChatError,)
    autoretry_for: ClassVar[tuple[type[Exception], ...]] = (Exception,)
    dont_autoretry_for: ClassVar[tuple[type[Exception], ...]] = (SoftTimeLimitExceeded,)
    max_retries = RETRIES
    retry_backoff = 1
    retry_backoff_max = 60
    retry_kwargs: ClassVar[dict[str, Any]] = {"max_retries": RETRIES}
    # After a lost worker.
    default_retry_delay = 5
    retry_on_worker_lost = True


class PeriodicTask(RetriedTask):
    """Tried once: the next one is due soon, and does the same."""

    abstract = True
    autoretry_for: ClassVar[tuple[type[Exception], ...]] = ()
    max_retries = 0
