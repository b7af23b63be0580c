"""A database with the cast in it, and the events of each commit."""

from __future__ import annotations

from tests.support.scene import database, received, scene

__all__ = ["database", "received", "scene"]
