"""Views of queues and failed tasks for operators."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec

from app.domain.schemas import View


class QueueState(View, frozen=True, kw_only=True):
    """One queue. `oldest` is the age in seconds of the longest-waiting task; null if none waits or its age is unknown.

    `per_minute` is the rate of the last five minutes. `retried` and `failed` count tasks of the last hour: retried, or
    failed with no attempt left.
    """

    name: str
    waiting: int
    oldest: float | None
    running: int
    per_minute: float
    retried: int
    failed: int


class QueueReport(View, frozen=True, kw_only=True):
    """`workers`: the names of workers with a heartbeat in the last 15 s."""

    queues: list[QueueState]
    workers: list[str]


class FailedTask(View, frozen=True, kw_only=True):
    """A task with no attempts left. `reason`: it `failed`, exceeded its time limit (`timeout`), `lost` its worker, or
    was `refused` as not registered. `error`: the exception's name and location. `times`: failures since it was listed.
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


class MailFailure(msgspec.Struct, frozen=True):
    """The newest error of the mail server, without addresses. `at` is in seconds since 1970."""

    at: float
    why: str


class QueueStats(msgspec.Struct, frozen=True):
    """For Prometheus and the command line.

    `totals`: tasks by (queue, outcome). `upkeep`: caches rebuilt, by reason. `mails`: mails by outcome. `beat`: seconds
    since beat's last sign, None if it is unknown. `mail_failure`: None once the mail server has accepted a mail since.
    `recent_mails`: mails of the last hour by outcome.
    """

    report: QueueReport
    totals: dict[tuple[str, str], int]
    upkeep: dict[str, int]
    mails: dict[str, int]
    beat: float | None
    mail_failure: MailFailure | None
    recent_mails: dict[str, int] = {}

    @property
    def mails_refused(self) -> str:
        """A sentence if the mail server permanently refused more than one mail in ten within the last hour. Fewer are
        mistyped addresses."""
        refused = self.recent_mails.get("refused", 0)
        decided = refused + self.recent_mails.get("sent", 0)
        return f"refused {refused:,} of {decided:,} mails in the last hour" if refused * 10 > decided else ""
