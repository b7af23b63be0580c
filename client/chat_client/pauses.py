"""How long to wait: growing, with jitter, so that a thousand clients of one server do not come back as one."""

from __future__ import annotations

import asyncio
import random
from typing import Final

FIRST: Final = 0.5
LONGEST: Final = 30.0
RESTARTING: Final = 1012
TOO_MANY: Final = 4429


STEADY_SECONDS: Final = 10.0
"""A socket that held this long was no failure: the next pause is short again."""

SERVED_SECONDS: Final = 1.0


class Pauses:
    """Each is twice the one before, on the average."""

    def __init__(self, first: float = FIRST, longest: float = LONGEST) -> None:
        self._first, self._longest = first, longest
        self._next = first

    def after(self, code: int, lived: float) -> float:
        """After a socket that ended with `code` and lived for so many seconds.

        A server that restarts says so to sockets it has served: they come back at once. One that says so to everybody
        who comes is not there yet.
        """
        if lived > STEADY_SECONDS or (code == RESTARTING and lived > SERVED_SECONDS):
            self._next = self._first
        return self.next()

    def next(self) -> float:
        pause, self._next = self._next, min(2 * self._next, self._longest)
        return pause * random.uniform(0.5, 1.0)


class Pace:
    """At most `rate` a second, in bursts of at most as many: what the server allows on one socket, and less."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._free_at = 0.0

    async def turn(self, cost: int = 1) -> None:
        """Wait for one's turn."""
        now = asyncio.get_running_loop().time()
        self._free_at = max(self._free_at, now - 1) + cost / self._rate
        if self._free_at > now:
            await asyncio.sleep(self._free_at - now)
