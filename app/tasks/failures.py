"""Records tasks that failed for good (a row for operators, a log line, an alert), and republishes them on request.

The process that ran the task records the failure. If that process was killed or timed out, the worker's main process
does. An error while recording ends neither process: it is logged.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Final
from uuid import UUID

import msgspec
import structlog
from celery import current_app, shared_task, signals
from celery.exceptions import SoftTimeLimitExceeded, TimeLimitExceeded, WorkerLostError
from kombu.exceptions import OperationalError

from app.domain.errors import ChatError
from app.domain.jobs import failed_tasks
from app.domain.jobs.failed_tasks import Failure
from app.tasks import task_stats
from app.tasks.context import TaskContext, worker_runtime
from app.tasks.task_classes import PeriodicTask

log = structlog.get_logger(__name__)

OURS: Final = str(Path(__file__).resolve().parents[1])
MAX_ARGUMENTS_LENGTH: Final = 1_000
MAX_NAME_LENGTH: Final = 100
MAX_RETRIES: Final = 200
RECOVERY_SECONDS: Final = 60
"""An alert about a periodic task waits that long: it is not sent if the task has run successfully by then."""


@signals.task_failure.connect(weak=False, dispatch_uid="chat.failing.failed")
def _failed(
    sender: Any = None,
    exception: BaseException | None = None,
    args: Sequence[Any] = (),
    traceback: Any = None,
    **_: object,
) -> None:
    where = traceback if isinstance(traceback, TracebackType) else getattr(exception, "__traceback__", None)
    error = f"{type(exception).__name__}{_place(where)}"
    request = sender.request
    _record(
        Failure(
            task=sender.name,
            arguments=_arguments(args),
            queue=task_stats.queue_of(sender.name),
            reason=_reason(exception),
            error=error,
            worker=str(request.hostname or ""),
            attempts=(request.retries or 0) + 1,
        ),
        expected=isinstance(exception, ChatError),
    )
    task_stats.alert(sender.app, sender.name, delay=RECOVERY_SECONDS if isinstance(sender, PeriodicTask) else 0)


@signals.task_success.connect(weak=False, dispatch_uid="chat.failing.recovered")
def _recovered(sender: Any = None, **_: object) -> None:
    """Closes the failure of a periodic task that ran successfully again: nothing is left for operators to do."""
    if not isinstance(sender, PeriodicTask):
        return
    try:
        closed = worker_runtime.run(partial(_close, sender.name))
    except Exception as error:  # noqa: BLE001 - the task has succeeded, whatever happens here
        log.warning("recovery_not_stored", recovered_task=sender.name, error=type(error).__name__)
    else:
        if closed:
            log.info("task_recovered", recovered_task=sender.name)


async def _close(task: str, context: TaskContext) -> int:
    async with context.database.transaction() as session:
        return await failed_tasks.close_recovered(session, task)


@signals.task_rejected.connect(weak=False, dispatch_uid="chat.failing.rejected")
@signals.task_unknown.connect(weak=False, dispatch_uid="chat.failing.unknown")
def _refused(sender: Any = None, message: Any = None, exc: BaseException | None = None, **_: object) -> None:
    """Records a message that is not a registered task. It is removed from its queue and never run."""
    headers = message.headers if isinstance(message.headers, dict) else {}
    name = str(headers.get("task") or "unreadable")[:MAX_NAME_LENGTH]
    error = type(exc).__name__ if exc else "UnknownMessage"
    queue = str((message.delivery_info or {}).get("routing_key") or "unknown")[:50]
    _record(
        Failure(
            task=name, arguments="[]", queue=queue, reason="refused", error=error, worker=sender.hostname, attempts=0
        )
    )
    task_stats.alert(sender.app, name)


def _record(failure: Failure, *, expected: bool = False) -> None:
    """Stores the failure and logs it. `expected` (an outage or rejection) logs a warning, which Sentry does not get."""
    fields = {"failed_task": failure.task, "reason": failure.reason, "error": failure.error}
    try:
        stored = worker_runtime.run_separately(partial(_store, failure))
    except Exception:
        # The worker must survive any outage.
        log.exception("failed_task_not_stored", **fields)
    else:
        log.log(logging.WARNING if expected else logging.ERROR, "task_failed", **fields, stored=stored)


async def _store(failure: Failure, context: TaskContext) -> bool:
    async with context.database.transaction() as session:
        return await failed_tasks.record_failure(session, failure)


def _reason(exception: BaseException | None) -> str:
    if isinstance(exception, SoftTimeLimitExceeded | TimeLimitExceeded):
        return "timeout"
    return "lost" if isinstance(exception, WorkerLostError) else "failed"


def _arguments(args: Sequence[Any]) -> str:
    text = msgspec.json.encode(list(args)).decode()
    return text if len(text) <= MAX_ARGUMENTS_LENGTH else "[]"


def _place(where: TracebackType | None) -> str:
    """Returns the innermost line of our code. Omits the exception's message, which may contain user content."""
    lines = [frame for frame in traceback.extract_tb(where) if frame.filename.startswith(OURS)]
    if not lines:
        return ""
    path = Path(lines[-1].filename).relative_to(Path(OURS).parent)
    return f" at {path}:{lines[-1].lineno} in {lines[-1].name}"


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
