"""The task that stores the counts of the throttles."""

from __future__ import annotations

from tests.support.throttling.fixtures import accelerator, desk

__all__ = ["accelerator", "desk"]
