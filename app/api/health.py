"""Endpoints for machines: liveness, readiness, metrics."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, Literal

import msgspec
from litestar import Controller, Response, get
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from prometheus_client import CONTENT_TYPE_LATEST

from app.api.middleware.authentication import PUBLIC

# Litestar adds the charset to every text type; Prometheus sends its own.
METRICS_TYPE: Final = CONTENT_TYPE_LATEST.removesuffix("; charset=utf-8")


class Liveness(msgspec.Struct, frozen=True):
    """The process answers."""

    status: Literal["alive"] = "alive"


class Readiness(msgspec.Struct, frozen=True):
    """`degraded` names unavailable services that the chat can work without; `reason` says why it is not ready."""

    ready: bool
    degraded: list[str] = []
    reason: str | None = None


class HealthController(Controller):
    """Endpoints that machines poll every few seconds. No token is required."""

    path = "/"
    opt = PUBLIC
    tags = ("Health",)

    @get("/livez", operation_id="livez", summary="Check that the process is alive")
    async def livez(self) -> Liveness:
        return Liveness()

    @get(
        "/readyz",
        operation_id="readyz",
        summary="Check that the process can serve requests",
        description=(
            "Not ready during startup, while draining, or when Postgres is unavailable. `degraded` names the services "
            "that are unavailable."
        ),
        responses={503: ResponseSpec(Readiness, generate_examples=False, description="Not ready; `reason` says why.")},
    )
    async def readyz(self, readiness: NamedDependency[Callable[[], Awaitable[Readiness]]]) -> Response[Readiness]:
        return _answered(await readiness())

    @get("/metrics", operation_id="metrics", summary="Metrics for Prometheus", media_type="text/plain")
    async def metrics(self, metrics_text: NamedDependency[Callable[[], Awaitable[bytes]]]) -> Response[bytes]:
        return Response(await metrics_text(), media_type=METRICS_TYPE)


def _answered(report: Readiness) -> Response[Readiness]:
    return Response(report, status_code=200 if report.ready else 503)
