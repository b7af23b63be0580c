"""Counts the refusals that each network address causes. One that causes many may open no connections for a while.

A refusal costs the process little, but a client that opens a new connection after each costs it a whole core. The count
is a leaky bucket, so that an address whose clients behave again is admitted after ten seconds at most. Attempts while
the address is blocked count little: an office whose clients reconnect with growing pauses must not stay blocked by it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

REFUSALS: Final = 50
"""Refusals of one address before its further connections are refused."""

LEAK_PER_SECOND: Final = 5.0
MOST: Final = 100.0
"""The highest count: an address is admitted (MOST - REFUSALS) / LEAK_PER_SECOND = 10 seconds after its last refusal."""

ATTEMPT: Final = 0.1
"""What an attempt counts while the address is blocked: 50 attempts a second keep it blocked, a few do not."""

MOST_ADDRESSES: Final = 10_000
"""Addresses counted at once. Beyond it the one that has behaved for longest is forgotten."""


class RefusalCounts:
    """`now` returns seconds of a monotonic clock."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._counts: dict[str, tuple[float, float]] = {}
        """(count, when it was counted) by address, the latest last."""

    def __len__(self) -> int:
        return len(self._counts)

    def add(self, address: str) -> None:
        """Counts a refusal that `address` caused."""
        self._add(address, 1.0)

    def admits(self, address: str) -> bool:
        """Returns whether `address` may open a connection. If not, the attempt counts."""
        if self._count(address) <= REFUSALS:
            return True
        self._add(address, ATTEMPT)
        return False

    def _add(self, address: str, weight: float) -> None:
        count = min(self._count(address) + weight, MOST)
        self._counts.pop(address, None)
        self._counts[address] = count, self._now()
        if len(self._counts) > MOST_ADDRESSES:
            del self._counts[next(iter(self._counts))]

    def _count(self, address: str) -> float:
        count, at = self._counts.get(address, (0.0, 0.0))
        return max(0.0, count - LEAK_PER_SECOND * (self._now() - at))
