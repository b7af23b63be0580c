"""A worker with tasks that misbehave."""

from __future__ import annotations

from tests.tasks.conftest import channel, operator, place, url

__all__ = ["channel", "operator", "place", "url"]
