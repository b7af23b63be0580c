"""What operators see of the queues, and of tasks that failed for good."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec

from app.domain.schemas import View


class QueueState(View, frozen=True, kw_only=True):
    """One queue. `oldest` is the age in seconds of what waits longest; null when nothing does, or nobody noted when.

    `per_minute` is the rate of the last five minutes; `retried` and `failed` count the last hour: another try was
    made, or none was left.
    """

    name: str
    waiting: int
    oldest: float | None
    running: int
    per_minute: float
    retried: int
    failed: int


class QueueReport(View, frozen=True, kw_only=True):
    """`workers`: the names of those that have shown themselves within 15 s."""

    queues: list[QueueState]
    workers: list[str]


class FailedTask(View, frozen=True, kw_only=True):
    """A task of which no try is left. `reason`: it `failed`, ran into its time limit (`timeout`), `lost` its worker, or
    was `refused` as none of ours. `error` names the exception and where it arose. `times`: since it is in this list.
    """

    id: UUID
    task: str
    arguments: list[Any]
    queue: str
    reason: Literal["failed", "timeout", "lost", "refused"]
    error: str
    worker: str
    attempts: int
    times: int
    first_failed_at: datetime
    failed_at: datetime
    asked_at: datetime | None


class FailedTaskPage(View, frozen=True, kw_only=True):
    items: list[FailedTask]
    next: str | None


class WorkFigures(msgspec.Struct, frozen=True):
    """For Prometheus. `totals`: tasks by (queue, outcome); `upkeep`: caches made anew, by why."""

    report: QueueReport
    totals: dict[tuple[str, str], int]
    upkeep: dict[str, int]
