"""The look: every second, and whenever the bus is heard again, a few range scans ask Postgres what moved lately.

So delivery heals itself: whatever Redis lost, whoever was killed between COMMIT and publish, a second later it is told.
"""

from __future__ import annotations

import asyncio
import time

import structlog

from app.domain.errors import ChatError
from app.realtime.hub import Hub

log = structlog.get_logger(__name__)

EVERY = 1.0
DEADLINE = 5.0


class Look:
    """`run()` is a task of the process; `soon()` asks for a look at once."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._since: float | None = None
        self._wanted = asyncio.Event()
        self._failing = False

    def soon(self) -> None:
        self._wanted.set()

    async def run(self) -> None:
        """Look for ever. No failure ends it."""
        while True:
            started = time.monotonic()
            self._wanted.clear()
            await self.once()
            try:
                async with asyncio.timeout(max(0.0, started + EVERY - time.monotonic())):
                    await self._wanted.wait()
            except TimeoutError:
                continue

    async def once(self) -> bool:
        """One look; whether it succeeded."""
        started = time.monotonic()
        try:
            async with asyncio.timeout(DEADLINE):
                glance = await self._hub.journal.glance(self._since, list(self._hub.people))
            self._hub.seen(glance, started)
        except (ChatError, TimeoutError, OSError) as error:
            if not self._failing:
                log.warning("look_failed", error=type(error).__name__)
            self._failing = True
            return False
        except Exception:
            log.exception("look_failed")
            self._failing = True
            return False
        if self._failing:
            log.info("look_succeeds_again")
        self._failing = False
        self._since = glance.began
        return True
