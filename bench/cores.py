"""Pins the measured process to one core, and everything else (Postgres, Valkey, load) to another.

The bench first pins itself to the second core, and its children inherit that; only the measured process moves to the
first. The bench uses exactly two cores on larger machines too, so that figures of different machines are comparable.
"""

from __future__ import annotations

import os
from collections.abc import Callable


class Cores:
    """`measured` and `rest` are core numbers, or None where the system cannot pin or has a single core."""

    def __init__(self) -> None:
        allowed = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_setaffinity") else []
        self._before = set(allowed)
        self.rest: int | None = allowed[0] if len(allowed) > 1 else None
        self.measured: int | None = allowed[1] if len(allowed) > 1 else None

    def pin_everything_else(self) -> None:
        if self.rest is not None:
            os.sched_setaffinity(0, {self.rest})

    def unpin(self) -> None:
        """Restores the original affinity, for work outside the measurements and at the end."""
        if self.rest is not None:
            os.sched_setaffinity(0, self._before)

    def pin_measured(self, then: Callable[[], None] | None) -> Callable[[], None]:
        """Returns a `preexec_fn` for the measured process; it also calls `then`."""

        def arrange() -> None:
            if self.measured is not None:
                os.sched_setaffinity(0, {self.measured})
            if then is not None:
                then()

        return arrange

    def __str__(self) -> str:
        if self.rest is None:
            return "not pinned: this machine has one core, or cannot pin"
        return f"what is measured alone on core {self.measured}, everything else on core {self.rest}"
