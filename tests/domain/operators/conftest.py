"""A conversation whose notifications a test decides."""

from __future__ import annotations

from tests.domain.notifications.conftest import database, room

__all__ = ["database", "room"]
