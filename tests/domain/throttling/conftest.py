"""Throttles on a real Redis, and the task that stores their counts."""

from __future__ import annotations

from tests.support.throttling.fixtures import clock, desk, make, redis_client, subject

__all__ = ["clock", "desk", "make", "redis_client", "subject"]
