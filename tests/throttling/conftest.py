"""Throttles on a real Redis, and on one whose clock a test sets."""

from __future__ import annotations

from tests.support.throttling.fixtures import clock, make, redis_client, subject

__all__ = ["clock", "make", "redis_client", "subject"]
