"""Tasks that failed for good: recorded by workers, listed and retried by operators. Kept for 30 days.

Tasks derive their work from rows, and sweeps find it again, so a lost record loses no work. The list is bounded: one
open row per task and arguments, and `MAX_OPEN_PER_TASK` open rows per task.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Interval, delete, func, literal, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.audit import log
from app.domain.cursors import IdKey, Keyset
from app.domain.error_catalogue import failed_task_not_found, not_repeatable
from app.domain.jobs import schemas
from app.domain.jobs.models import FailedTaskRow
from app.domain.orm import uuid7

RETENTION = timedelta(days=30)
MAX_OPEN_PER_TASK = 1_000
"""Open failures kept per task name."""

_KEYSET = Keyset("failed", IdKey)


class Failure(msgspec.Struct, frozen=True):
    """`arguments` is a JSON list. `error` is the exception's name and location."""

    task: str
    arguments: str
    queue: str
    reason: str
    error: str
    worker: str
    attempts: int


class RetryRequest(msgspec.Struct, frozen=True):
    """A failed task that an operator marked for retry."""

    id: UUID
    task: str
    arguments: list[Any]


async def record_failure(session: AsyncSession, failure: Failure) -> bool:
    """Records a failure. Returns False if this task's list is full. A repeated failure updates its open row."""
    counted = await session.scalars(
        update(FailedTaskRow)
        .where(_OPEN, FailedTaskRow.task == failure.task, FailedTaskRow.arguments == failure.arguments)
        .values(
            reason=failure.reason,
            error=failure.error,
            worker=failure.worker,
            attempts=failure.attempts,
            times=FailedTaskRow.times + 1,
            failed_at=func.clock_timestamp(),
        )
        .returning(FailedTaskRow.id)
    )
    if counted.one_or_none() is not None:
        return True
    # One task must not crowd out the others.
    if await count_open(session, failure.task) >= MAX_OPEN_PER_TASK:
        return False
    row = insert(FailedTaskRow).values(
        id=uuid7(),
        task=failure.task,
        arguments=failure.arguments,
        queue=failure.queue,
        reason=failure.reason,
        error=failure.error,
        worker=failure.worker,
        attempts=failure.attempts,
    )
    said = {name: row.excluded[name] for name in ("reason", "error", "worker", "attempts")}
    await session.execute(
        row.on_conflict_do_update(
            index_elements=["task", "arguments"],
            index_where=text("retried_at IS NULL"),
            set_={**said, "times": FailedTaskRow.times + 1, "failed_at": func.clock_timestamp()},
        )
    )
    return True


async def listing(session: AsyncSession, *, limit: int, cursor: str | None) -> schemas.FailedTaskPage:
    """Returns the open failures, newest first."""
    after = _KEYSET.key(cursor)
    query = select(FailedTaskRow).where(_OPEN).order_by(FailedTaskRow.id.desc()).limit(limit + 1)
    if after is not None:
        query = query.where(FailedTaskRow.id < after.id)
    rows = (await session.scalars(query)).all()
    shown, following = _KEYSET.page(rows, limit, lambda row: IdKey(row.id))
    return schemas.FailedTaskPage(items=[_view(row) for row in shown], next=following)


async def newest(session: AsyncSession, task: str) -> schemas.FailedTask | None:
    """Returns the most recent open failure of this task."""
    row = await session.scalar(
        select(FailedTaskRow).where(_OPEN, FailedTaskRow.task == task).order_by(FailedTaskRow.failed_at.desc()).limit(1)
    )
    return None if row is None else _view(row)


async def request_retry(session: AsyncSession, failed: UUID, *, by: UUID | None) -> schemas.FailedTask:
    """Marks a failed task for retry; a worker publishes it within ten seconds. `by` is None for the command line.

    Raises:
        NotFound: there is no open failure with this id.
        Conflict: `not_repeatable`, it is not a registered task.
    """
    row = await session.scalar(select(FailedTaskRow).where(FailedTaskRow.id == failed, _OPEN).with_for_update())
    if row is None:
        raise failed_task_not_found()
    if row.reason == "refused":
        raise not_repeatable()
    await session.execute(
        update(FailedTaskRow).where(FailedTaskRow.id == failed).values(asked_at=func.clock_timestamp())
    )
    await log.record_action(session, by=by, action="task.retried", subject=failed, details={"task": row.task})
    await session.refresh(row)
    return _view(row)


async def request_all_retries(session: AsyncSession, *, by: UUID | None) -> int:
    """Marks all repeatable failures for retry. Returns their number."""
    requested = await session.scalars(
        update(FailedTaskRow)
        .where(_OPEN, FailedTaskRow.reason != "refused", FailedTaskRow.asked_at.is_(None))
        .values(asked_at=func.clock_timestamp())
        .returning(FailedTaskRow.id)
    )
    number = len(requested.all())
    if number:
        await log.record_action(session, by=by, action="task.retried", details={"tasks": number})
    return number


async def retry_requests(session: AsyncSession, limit: int) -> list[RetryRequest]:
    """Returns tasks to publish now. Their rows stay locked until COMMIT, so no other worker publishes them."""
    rows = await session.execute(
        select(FailedTaskRow.id, FailedTaskRow.task, FailedTaskRow.arguments)
        .where(FailedTaskRow.asked_at.is_not(None), _OPEN)
        .order_by(FailedTaskRow.asked_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return [RetryRequest(row.id, row.task, msgspec.json.decode(row.arguments)) for row in rows]


async def mark_retried(session: AsyncSession, ids: Sequence[UUID]) -> None:
    """Removes these from the list. If they fail again, they are recorded as new failures."""
    await session.execute(
        update(FailedTaskRow).where(FailedTaskRow.id.in_(ids)).values(retried_at=func.clock_timestamp())
    )


async def close_recovered(session: AsyncSession, task: str) -> int:
    """Removes a periodic task from the list, because it ran again successfully. Returns the number of rows."""
    closed = await session.scalars(
        update(FailedTaskRow)
        .where(_OPEN, FailedTaskRow.task == task, FailedTaskRow.reason != "refused")
        .values(retried_at=func.clock_timestamp())
        .returning(FailedTaskRow.id)
    )
    return len(closed.all())


async def mark_refused(session: AsyncSession, ids: Sequence[UUID]) -> None:
    """Marks these as refused, because their task is no longer registered."""
    if ids:
        await session.execute(
            update(FailedTaskRow).where(FailedTaskRow.id.in_(ids)).values(reason="refused", asked_at=None)
        )


async def count_open(session: AsyncSession, task: str | None = None) -> int:
    """Returns the number of open failures, of all tasks or of this one."""
    query = select(func.count()).select_from(FailedTaskRow).where(_OPEN)
    return int(await session.scalar(query if task is None else query.where(FailedTaskRow.task == task)) or 0)


async def sweep(session: AsyncSession) -> int:
    """Deletes failures older than 30 days, and those retried more than a day ago. Returns their number."""
    now = func.clock_timestamp()
    deleted = await session.scalars(
        delete(FailedTaskRow)
        .where(
            or_(
                FailedTaskRow.failed_at < now - literal(RETENTION, Interval),
                FailedTaskRow.retried_at < now - literal(timedelta(days=1), Interval),
            )
        )
        .returning(FailedTaskRow.id)
    )
    return len(deleted.all())


def _view(row: FailedTaskRow) -> schemas.FailedTask:
    fields = {name: getattr(row, name) for name in schemas.FailedTask.__struct_fields__}
    return schemas.FailedTask(**{**fields, "arguments": msgspec.json.decode(row.arguments)})


_OPEN = FailedTaskRow.retried_at.is_(None)
