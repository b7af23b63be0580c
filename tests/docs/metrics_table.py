"""The table of metrics, from the program's own declarations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from prometheus_client import REGISTRY
from prometheus_client.core import Metric

import app.main
import app.server.http_protocol  # noqa: F401 - these two declare the metrics, or import the modules that do
from app.domain.jobs.schemas import QueueReport, QueueStats
from app.domain.operators.backlog import Backlog
from app.telemetry.background_metrics import BackgroundMetrics

SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}


def declared() -> Iterator[tuple[Metric, tuple[str, ...]]]:
    """Every metric of the chat with its labels."""
    collectors: dict[Any, Any] = REGISTRY._collector_to_names
    for collector in collectors:
        for family in collector.collect():
            if family.name.startswith("chat_"):
                yield family, tuple(collector._labelnames)
    for family in _background().collect():
        yield family, tuple(family._labelnames)  # type: ignore[attr-defined]


def _background() -> BackgroundMetrics:
    async def unread() -> Any:
        raise AssertionError("nothing is read for the table")

    metrics = BackgroundMetrics(unread, unread)
    metrics._stats = QueueStats(QueueReport(queues=[], workers=[]), {}, {}, mails={}, beat=0.0, mail_failure=None)
    metrics._backlog = Backlog(mails_waiting=0, mails_postponed=0, oldest=None, failed_tasks=0)
    return metrics


def sample_names() -> set[str]:
    """The names that a query may use."""
    return {family.name + suffix for family, _ in declared() for suffix in SUFFIXES[family.type]}


def table() -> str:
    """Markdown."""
    rows = []
    for family, labels in declared():
        name = family.name + ("_total" if family.type == "counter" else "")
        shown = ", ".join(f"`{label}`" for label in labels)
        rows.append(f"| `{name}` | {family.type} | {shown} | {family.documentation} |")
    return "\n".join(["| metric | type | labels | meaning |", "|---|---|---|---|", *sorted(rows)])
