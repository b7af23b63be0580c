"""Polls Postgres for recent changes with a few range scans: every second, and whenever the bus reconnects.

So delivery recovers within a second from events that Redis lost and from processes killed between COMMIT and publish.
"""

from __future__ import annotations

import asyncio
import time

import structlog
from prometheus_client import Counter

from app.domain.conversations.recent_changes import MembershipState
from app.domain.errors import ChatError
from app.domain.events import ReadMoved
from app.realtime.hub.hub import Hub
from app.realtime.hub.hub_queries import RecentChanges
from app.realtime.hub.poll_timer import PollTimer
from app.store.local_conversation_cache import ConversationCache
from app.throttling.limiter import RateLimiter

log = structlog.get_logger(__name__)

POLL_TIMEOUT_SECONDS = 5.0

POLLS = Counter("chat_polls", "Polls of Postgres for recent changes, by outcome.", ["outcome"])


class Poller:
    """Run `run()` as a task of the process. `timer` says when to poll."""

    def __init__(
        self, hub: Hub, access: ConversationCache, timer: PollTimer, limiter: RateLimiter | None = None
    ) -> None:
        self._hub = hub
        self._access = access
        self._timer = timer
        self._limiter = limiter
        self._since: float | None = None
        self._failing = False

    async def run(self) -> None:
        """Poll without end. No failure stops it."""
        while True:
            await self._timer.wait()
            await self.poll()

    async def poll(self) -> bool:
        """Polls Postgres. Returns whether that succeeded."""
        succeeded = await self._poll()
        POLLS.labels("done" if succeeded else "failed").inc()
        return succeeded

    async def _poll(self) -> bool:
        started = time.monotonic()
        try:
            async with asyncio.timeout(POLL_TIMEOUT_SECONDS):
                recent = await self._hub.reads.recent_changes(self._since, list(self._hub.registry.sockets_by_user))
            self._apply(recent, started)
        except (ChatError, TimeoutError, OSError) as error:
            if not self._failing:
                log.warning("poll_failed", error=type(error).__name__)
            self._failing = True
            return False
        except Exception:
            log.exception("poll_failed")
            self._failing = True
            return False
        if self._failing:
            log.info("poll_recovered")
        self._failing = False
        self._since = recent.began
        return True

    def _apply(self, recent: RecentChanges, started: float) -> None:
        """Repair rooms that have a gap; apply missed joins and ended logins. `started` is on the monotonic clock."""
        hub, registry = self._hub, self._hub.registry
        self._access.apply_poll(recent.moved, recent.ended_logins)
        hub.note_poll(started)
        for login in recent.ended_logins.keys() & registry.logins.keys():
            registry.end_logins((login,), refused=recent.ended_logins[login])
        if self._limiter is not None and (recent.policies or recent.all_policies):
            self._limiter.apply_overrides(recent.policies, complete=recent.all_policies)
        for head in recent.moved:
            room = registry.rooms.get(head.conversation)
            if room is not None and head.position > room.delivered:
                room.target = max(room.target, head.position)
                hub.schedule_repair(room)
        for membership in recent.memberships:
            self._apply_membership(membership)

    def _apply_membership(self, membership: MembershipState) -> None:
        user, conversation = membership.user, membership.conversation
        sockets = self._hub.registry.sockets_by_user.get(user, ())
        if membership.is_hidden:
            if any(conversation in connection.rooms for connection in sockets):
                self._hub.rejoin(user, conversation)
            return
        if any(connection.settled and connection.lacks(conversation) for connection in sockets):
            self._hub.join(user, conversation)
        # Only to the user's own devices: read marks of other members may be lost.
        self._hub.deliver_read(
            ReadMoved(conversation=conversation, user=user, seq=membership.read_seq, small=False),
        )
