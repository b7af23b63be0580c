"""Wakes a poller once a second, and at once when something is known to have changed."""

from __future__ import annotations

import asyncio
import time

POLL_SECONDS = 1.0


class PollTimer:
    """`wait` returns `POLL_SECONDS` after it last returned, or as soon as `wake` is called."""

    def __init__(self) -> None:
        self._requested = asyncio.Event()
        self._due = float("-inf")

    def wake(self) -> None:
        self._requested.set()

    async def wait(self) -> None:
        try:
            async with asyncio.timeout(max(0.0, self._due - time.monotonic())):
                await self._requested.wait()
        except TimeoutError:
            pass
        self._requested.clear()
        self._due = time.monotonic() + POLL_SECONDS
