"""Examples of what operators ask and are told."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from app.domain.audit.views import AuditPage, AuditRecord
from app.domain.work.views import FailedTask, FailedTaskPage, QueueReport, QueueState

_NINE: Final = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
_FAILED: Final = UUID("0199a7b0-7000-7000-8000-000000000030")
_failed = FailedTask(
    id=_FAILED,
    task="chat.cache.rebuild",
    arguments=["0199a7b0-7000-7000-8000-000000000001"],
    queue="cache",
    reason="failed",
    error="Away at app/realtime/accelerator.py:78 in call",
    worker="celery@chat-1",
    attempts=6,
    times=1,
    first_failed_at=_NINE,
    failed_at=_NINE,
    asked_at=None,
)

TEN: Final = datetime(2026, 5, 4, 10, 0, tzinfo=UTC)


def _id(number: int) -> UUID:
    return UUID(f"0199a7b0-7000-7000-8000-{number:012x}")


ROOT, SPAMMER = _id(40), _id(41)

ANSWERS: Final[tuple[msgspec.Struct, ...]] = (
    QueueReport(
        queues=[
            QueueState(name="notifications", waiting=12, oldest=3.2, running=2, per_minute=41.6, retried=1, failed=0),
            QueueState(name="upkeep", waiting=0, oldest=None, running=0, per_minute=12.4, retried=0, failed=0),
        ],
        workers=["celery@chat-1"],
    ),
    AuditPage(
        items=[
            AuditRecord(
                id=_id(42), at=TEN, by=ROOT, action="account.suspended", subject=SPAMMER, details={"reason": "spam"}
            )
        ],
        next=None,
    ),
    _failed,
    FailedTaskPage(items=[_failed], next=None),
)

BODIES: Final[Mapping[str, Mapping[str, Any]]] = {}

PARAMETERS: Final[Mapping[str, tuple[str, Any]]] = {
    "failed_id": ("The failed task's `id`.", str(_FAILED)),
}
