"""`RetriedTask` is enqueued by an event and retried; `PeriodicTask` runs on a schedule, so it is not.

A task runs up to six times, with pauses of up to 1, 2, 4, 8 and 16 seconds. A task that exceeds its time limit is not
retried, because it would block a worker for as long again. A task whose worker process died has the same number of
retries as one that failed, so a task that kills every worker is eventually given up.
"""

from __future__ import annotations

from typing import Any, ClassVar

from celery import Task
from celery.exceptions import SoftTimeLimitExceeded

from app.domain.errors import ChatError

RETRIES = 5


class RetriedTask(Task):
    """Retried with exponential backoff. After the last attempt it is listed as a failed task."""

    abstract = True
    # Expected errors (rejections and outages): Celery logs one line, without a traceback.
    throws: ClassVar[tuple[type[Exception], ...]] = (ChatError,)
    autoretry_for: ClassVar[tuple[type[Exception], ...]] = (Exception,)
    dont_autoretry_for: ClassVar[tuple[type[Exception], ...]] = (SoftTimeLimitExceeded,)
    max_retries = RETRIES
    retry_backoff = 1
    retry_backoff_max = 60
    retry_kwargs: ClassVar[dict[str, Any]] = {"max_retries": RETRIES}
    # Delay in seconds after a worker process is lost.
    default_retry_delay = 5
    retry_on_worker_lost = True


class PeriodicTask(RetriedTask):
    """Runs once per interval, without retries: the next run does the same work."""

    abstract = True
    autoretry_for: ClassVar[tuple[type[Exception], ...]] = ()
    max_retries = 0
