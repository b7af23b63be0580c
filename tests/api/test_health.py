"""Health checks and metrics, as monitors read them."""

from __future__ import annotations

from contextlib import AsyncExitStack

from litestar import Litestar
from prometheus_client import CONTENT_TYPE_LATEST

from app.api.health import Readiness
from app.settings import Settings
from app.wiring.runtime import Runtime
from tests.support.web import Client


async def test_metrics_name_prometheus_own_content_type(api: Client) -> None:
    answered = await api.get("/metrics")
    assert answered.status_code == 200
    assert answered.headers["content-type"] == CONTENT_TYPE_LATEST


async def test_a_live_process_says_so(api: Client) -> None:
    answered = await api.get("/livez")
    assert (answered.status_code, answered.json()) == (200, {"status": "alive"})


async def test_an_exhausted_pool_is_not_called_a_missing_postgres(settings: Settings) -> None:
    runtime = Runtime(settings)
    async with runtime.running(Litestar()):
        async with AsyncExitStack() as stack:
            for _ in range(runtime.database.pool_usage().size):
                await stack.enter_async_context(runtime.database.read_only())
            assert await runtime.readiness() == Readiness(ready=False, reason="pool")
        assert await runtime.readiness() == Readiness(ready=True)
