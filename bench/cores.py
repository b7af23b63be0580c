"""Two cores, two roles: the API alone on one, everything else (Postgres, Valkey, load) together on the other.

The bench pins itself to the second one first, so that whatever it starts inherits that; only what is measured is given
the other. Exactly two cores are used on a larger machine too: otherwise figures of two machines would not compare.
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
        """For work outside the measuring, and at the end."""
        if self.rest is not None:
            os.sched_setaffinity(0, self._before)

    def pin_measured(self, then: Callable[[], None] | None) -> Callable[[], None]:
        """For `preexec_fn` of what is measured; `then` is done too."""

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
