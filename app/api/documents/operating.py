"""Examples of what operators ask and are told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from app.domain.work.views import QueueReport, QueueState

ANSWERS: Final[tuple[msgspec.Struct, ...]] = (
    QueueReport(
        queues=[
            QueueState(name="notifications", waiting=12, oldest=3.2, running=2, per_minute=41.6, retried=1, failed=0),
            QueueState(name="upkeep", waiting=0, oldest=None, running=0, per_minute=12.4, retried=0, failed=0),
        ],
        workers=["celery@chat-1"],
    ),
)

BODIES: Final[Mapping[str, Mapping[str, Any]]] = {}

PARAMETERS: Final[Mapping[str, tuple[str, Any]]] = {}
