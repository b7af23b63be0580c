"""Counts and times HTTP requests by route. Labels are bounded: a route's template and never its path, known methods."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, Final

from prometheus_client import Histogram

BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
UNMATCHED: Final = "unmatched"
"""The route of requests that reach none: unknown paths, refused hosts, preflights."""

DURATION = Histogram(
    "chat_http_request_duration_seconds",
    "Time from a request to its response, by route template, method and status.",
    ["route", "method", "status"],
    buckets=BUCKETS,
)
_children: dict[tuple[str, str, int], Any] = {}
"""`labels()` costs as much as everything else here."""


def observe(scope: MutableMapping[str, Any], status: int, seconds: float) -> None:
    """Counts one request. `status` is 0 if the client left before the response."""
    method = scope["method"]
    key = (scope.get("path_template") or UNMATCHED, method if method in METHODS else "other", status)
    child = _children.get(key)
    if child is None:
        route, method, _ = key
        child = _children[key] = DURATION.labels(route, method, str(status) if status else "aborted")
    child.observe(seconds)
