"""How long to wait: growing, with jitter, so that a thousand clients of one server do not come back as one."""

from __future__ import annotations

import asyncio
import random
from typing import Final

FIRST: Final = 0.5
LONGEST: Final = 30.0
RESTARTING: Final = 1012
TOO_MANY: Final = 4429


class Pauses:
    """Doubles from one failure to the next. `over` after a success."""

    def __init__(self, first: float = FIRST, longest: float = LONGEST) -> None:
        self._first, self._longest = first, longest
        self._next = first

    def over(self) -> None:
        self._next = self._first

    def next(self) -> float:
        pause, self._next = self._next, min(2 * self._next, self._longest)
        return pause * random.uniform(0.5, 1.0)


class Pace:
    """At most `rate` a second, in bursts of at most as many: what the server allows on one socket, and less."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._free_at = 0.0

    async def turn(self) -> None:
        """Wait for one's turn."""
        now = asyncio.get_running_loop().time()
        self._free_at = max(self._free_at, now - 1) + 1 / self._rate
        if self._free_at > now:
            await asyncio.sleep(self._free_at - now)
