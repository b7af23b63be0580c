"""Decisions about notifications in one worker."""

from __future__ import annotations

from contextlib import AbstractContextManager

from bench.measures import Plan
from bench.processes import NotBuilt
from bench.stage import Stage


def notify(_stage: Stage) -> AbstractContextManager[Plan]:
    """Raises NotBuilt."""
    raise NotBuilt("not built yet: there are no notifications to decide about")
