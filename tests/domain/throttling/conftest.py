"""Throttles on a real Redis, and the task that stores their counts."""

from __future__ import annotations

from tests.support.throttling.fixtures import accelerator, clock, desk, make, subject

__all__ = ["accelerator", "clock", "desk", "make", "subject"]
