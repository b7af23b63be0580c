"""Hostile clients, each in a process of its own, beside people who write: `KINDS` are all of them, by name."""

from __future__ import annotations

from typing import Final

from tests.system.chaos.hostile import byte_kinds, request_kinds, socket_kinds
from tests.system.chaos.hostile.ground import Kind

KINDS: Final[dict[str, Kind]] = {**byte_kinds.KINDS, **request_kinds.KINDS, **socket_kinds.KINDS}
