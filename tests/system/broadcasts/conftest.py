"""A chat with a mail server, and its accounts."""

from __future__ import annotations

from tests.support.broadcasts import crowd, place

__all__ = ["crowd", "place"]
