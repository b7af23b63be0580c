"""What machines ask: is the process alive, may it be sent work, how is it doing."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest


class Readiness(msgspec.Struct, frozen=True):
    """`degraded` names what is away without stopping the chat; `reason` says why it is not ready."""

    ready: bool
    degraded: list[str] = []
    reason: str | None = None


@runtime_checkable
class ReadinessCheck(Protocol):
    async def readiness(self) -> Readiness: ...


@get("/livez", opt={"public": True}, operation_id="livez", summary="The process is alive", tags=["Health"])
async def livez() -> dict[str, str]:
    return {"status": "alive"}


@get(
    "/readyz",
    opt={"public": True},
    operation_id="readyz",
    summary="May be sent work",
    description="Not at start, while draining, and when Postgres is away. `degraded` names what it does without.",
    responses={503: ResponseSpec(Readiness, generate_examples=False, description="Not now; `reason` says why.")},
    tags=["Health"],
)
async def readyz(health: NamedDependency[ReadinessCheck]) -> Response[Readiness]:
    report = await health.readiness()
    return Response(report, status_code=200 if report.ready else 503)


@get(
    "/metrics",
    opt={"public": True},
    operation_id="metrics",
    summary="Figures for Prometheus",
    media_type="text/plain",
    tags=["Health"],
)
async def metrics() -> Response[bytes]:
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
