"""The task that stores the counts of the throttles."""

from __future__ import annotations

from tests.support.throttling.fixtures import desk, redis_client

__all__ = ["desk", "redis_client"]
