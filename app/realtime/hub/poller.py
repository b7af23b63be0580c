"""Polls Postgres for recent changes with a few range scans: every second, and whenever the bus reconnects.

So delivery recovers within a second from events that Redis lost and from processes killed between COMMIT and publish.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Protocol

import structlog

from app.domain.errors import ChatError
from app.domain.events import ReadMoved
from app.domain.throttling.overrides import Override
from app.realtime.hub.ephemeral import deliver_read
from app.realtime.hub.hub import Hub
from app.realtime.hub.reads import RecentChanges
from app.store.read_access import ReadAccess

log = structlog.get_logger(__name__)

POLL_SECONDS = 1.0
POLL_TIMEOUT_SECONDS = 5.0


class Limits(Protocol):
    """Enforces throttle policies."""

    def learn(self, standing: Sequence[Override], *, everything: bool) -> None:
        """Apply changed overrides. With `everything`, `standing` is the full set and replaces all others."""


class Poller:
    """Run `run()` as a task of the process; `soon()` requests a poll at once."""

    def __init__(self, hub: Hub, access: ReadAccess, limits: Limits | None = None) -> None:
        self._hub = hub
        self._access = access
        self._limits = limits
        self._since: float | None = None
        self._wanted = asyncio.Event()
        self._failing = False

    def soon(self) -> None:
        self._wanted.set()

    async def run(self) -> None:
        """Poll without end. No failure stops it."""
        while True:
            started = time.monotonic()
            self._wanted.clear()
            await self.once()
            try:
                async with asyncio.timeout(max(0.0, started + POLL_SECONDS - time.monotonic())):
                    await self._wanted.wait()
            except TimeoutError:
                continue

    async def once(self) -> bool:
        """Poll once. Returns whether it succeeded."""
        started = time.monotonic()
        try:
            async with asyncio.timeout(POLL_TIMEOUT_SECONDS):
                glance = await self._hub.journal.glance(self._since, list(self._hub.people))
            self._take_in(glance, started)
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

    def _take_in(self, glance: RecentChanges, started: float) -> None:
        """Repair rooms that are behind; apply missed joins and ended logins. `started` is on the monotonic clock."""
        hub = self._hub
        self._access.saw(glance.moved, glance.ended_logins)
        hub.fresh = started
        for login in glance.ended_logins.keys() & hub.logins.keys():
            hub.end_logins((login,), refused=glance.ended_logins[login])
        if self._limits is not None and (glance.policies or glance.all_policies):
            self._limits.learn(glance.policies, everything=glance.all_policies)
        for moved in glance.moved:
            room = hub.rooms.get(moved.conversation)
            if room is not None and moved.position > room.delivered:
                room.target = max(room.target, moved.position)
                hub.wait(room)
        behind, hub.behind = hub.behind, set()
        for room in behind:
            hub.wait(room)
        for belongs in glance.memberships:
            sockets = hub.people.get(belongs.user, ())
            if belongs.is_hidden:
                if any(belongs.conversation in one.rooms for one in sockets):
                    hub.beginnings.again(belongs.user, belongs.conversation)
                continue
            if any(one.settled and one.lacks(belongs.conversation) for one in sockets):
                hub.beginnings.start(belongs.user, belongs.conversation)
            # Only to the user's own devices: read marks of other members may be lost.
            deliver_read(
                hub,
                ReadMoved(conversation=belongs.conversation, user=belongs.user, seq=belongs.read_seq, small=False),
            )
