"""Operator endpoints, all under `/ops`. Other callers receive 404.

No response contains the text of a message.
"""

from __future__ import annotations

from typing import Final

from app.api.operators.audit import AuditController
from app.api.operators.broadcasts import BroadcastController
from app.api.operators.failed_tasks import FailedTaskController
from app.api.operators.invites import InviteController
from app.api.operators.live import LiveController
from app.api.operators.lookup import LookupController
from app.api.operators.queues import QueueController
from app.api.operators.throttles import ThrottleController, ThrottleReportController
from app.api.operators.traces import TraceController

CONTROLLERS: Final = (
    LiveController,
    QueueController,
    FailedTaskController,
    AuditController,
    LookupController,
    InviteController,
    TraceController,
    BroadcastController,
    ThrottleController,
    ThrottleReportController,
)
