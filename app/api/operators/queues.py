"""The task queues, for operators."""

from __future__ import annotations

from typing import Protocol

from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.params import SkipValidation

from app.api.errors.problems import documented
from app.api.middleware.authentication import OPERATORS
from app.domain.jobs.schemas import QueueReport


class QueueSource(Protocol):
    """Reports on the broker's queues."""

    async def report(self) -> QueueReport:
        """Raises Unavailable if the broker cannot be reached."""


class QueueController(Controller):
    tags = ("Operators",)
    opt = OPERATORS
    path = "/ops"

    @get(
        "/queues",
        operation_id="showQueues",
        summary="What waits, since when, what runs, what was done, and which workers there are",
        responses=documented("404 not_found", "503 broker_unavailable"),
    )
    async def queues(self, work: NamedDependency[SkipValidation[QueueSource]]) -> QueueReport:
        return await work.report()
