"""Health checks and metrics, as monitors read them."""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_LATEST

from tests.support.web import Client


async def test_metrics_name_prometheus_own_content_type(api: Client) -> None:
    answered = await api.get("/metrics")
    assert answered.status_code == 200
    assert answered.headers["content-type"] == CONTENT_TYPE_LATEST


async def test_a_live_process_says_so(api: Client) -> None:
    answered = await api.get("/livez")
    assert (answered.status_code, answered.json()) == (200, {"status": "alive"})
