"""The look: every second, and whenever the bus is heard again, a few range scans ask Postgres what moved lately.

So delivery heals itself: whatever Redis lost, whoever was killed between COMMIT and publish, a second later it is told.
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
    """Enforces the policies of throttles."""

    def learn(self, standing: Sequence[Override], *, everything: bool) -> None:
        """These changed; or `everything` that is not as the settings say is these."""


class Poller:
    """`run()` is a task of the process; `soon()` asks for a look at once."""

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
        """Look for ever. No failure ends it."""
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
        """One look; whether it succeeded."""
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
        """Repair what is behind, begin and end what was missed. `started` is on the monotonic clock."""
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
            # Only to one's own devices: others' read marks may be lost.
            deliver_read(
                hub,
                ReadMoved(conversation=belongs.conversation, user=belongs.user, seq=belongs.read_seq, small=False),
            )
