"""Exponential backoff with jitter, so that a thousand clients of one server do not reconnect at once; and pacing."""

from __future__ import annotations

import asyncio
import random
from typing import Final

FIRST: Final = 0.5
LONGEST: Final = 30.0
RESTARTING: Final = 1012
TOO_MANY: Final = 4429


STEADY_SECONDS: Final = 10.0
"""A socket that lasted this long was not a failure: the backoff starts over."""

SERVED_SECONDS: Final = 1.0


class Pauses:
    """Pauses that double on average, up to `longest`, in seconds."""

    def __init__(self, first: float = FIRST, longest: float = LONGEST) -> None:
        self._first, self._longest = first, longest
        self._next = first

    def after(self, code: int, lived: float) -> float:
        """Returns the pause after a socket that closed with `code` after `lived` seconds.

        A restarting server closes the sockets it has served with RESTARTING: these reconnect soon. A server that
        closes every new socket so is not ready yet.
        """
        if lived > STEADY_SECONDS or (code == RESTARTING and lived > SERVED_SECONDS):
            self._next = self._first
        return self.next()

    def next(self) -> float:
        pause, self._next = self._next, min(2 * self._next, self._longest)
        return pause * random.uniform(0.5, 1.0)


class Pace:
    """Limits to `rate` per second, in bursts of at most as many: below the server's limit for one socket."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._free_at = 0.0

    async def turn(self, cost: int = 1) -> None:
        """Waits until `cost` more is within the rate."""
        now = asyncio.get_running_loop().time()
        self._free_at = max(self._free_at, now - 1) + cost / self._rate
        if self._free_at > now:
            await asyncio.sleep(self._free_at - now)
