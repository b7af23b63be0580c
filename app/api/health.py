"""What machines ask: is the process alive, may it be sent work, how is it doing."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency
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
    summary="May be sent work: 503 at start, while draining, and when Postgres is away",
    tags=["Health"],
)
async def readyz(health: NamedDependency[ReadinessCheck]) -> Response[Readiness]:
    report = await health.readiness()
    return Response(report, status_code=200 if report.ready else 503)


@get("/metrics", opt={"public": True}, include_in_schema=False)
async def metrics() -> Response[bytes]:
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
