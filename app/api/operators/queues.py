"""The task queues, for operators."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from litestar import Controller, get
from litestar.di import NamedDependency

from app.api.errors.problems import documented
from app.api.middleware.authentication import OPERATORS
from app.domain.error_catalogue import broker_unavailable, path_not_found
from app.domain.jobs.schemas import QueueReport


class QueueController(Controller):
    tags = ("Operators",)
    opt = OPERATORS
    path = "/ops"

    @get(
        "/queues",
        operation_id="showQueues",
        summary="Get the state of the task queues and workers",
        responses=documented(path_not_found, broker_unavailable),
    )
    async def queues(self, queue_report: NamedDependency[Callable[[], Awaitable[QueueReport]]]) -> QueueReport:
        return await queue_report()
