"""Throttles on a real Redis, and on one whose clock a test sets."""

from __future__ import annotations

from tests.support.throttling.fixtures import accelerator, clock, make, subject

__all__ = ["accelerator", "clock", "make", "subject"]
