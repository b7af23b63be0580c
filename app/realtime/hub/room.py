"""A conversation with subscribers in this process: the position delivered to all of them, and changes held back.

`delivered` only increases. A change is delivered if it follows (`prev == delivered`), dropped if it is not newer, and
otherwise held until the missing changes have arrived or been read from Postgres.
"""

from __future__ import annotations

import asyncio
from uuid import UUID

from app.domain.events import LogChange
from app.realtime.connection.connection import Connection

MAX_HELD_CHANGES = 256
"""Held changes per room. Further ones are dropped, since the repair reads them anyway."""


class Room:
    """`connections` are the subscribers, each with its user's read cursor last sent.

    `ahead` holds those whose snapshot is newer than `delivered`, with the snapshot's position. `target` is the highest
    position known to exist.
    """

    __slots__ = ("ahead", "connections", "conversation", "delivered", "held", "repairing", "target", "timer")

    def __init__(self, conversation: UUID, delivered: int) -> None:
        self.conversation = conversation
        self.delivered = delivered
        self.target = delivered
        self.connections: dict[Connection, int] = {}
        self.ahead: dict[Connection, int] | None = None
        self.held: dict[int, LogChange] | None = None
        self.repairing = False
        self.timer: asyncio.TimerHandle | None = None

    @property
    def has_gap(self) -> bool:
        """Whether a change is known to exist that has not been delivered."""
        return self.target > self.delivered

    def hold(self, change: LogChange) -> None:
        """Keep a change that cannot be delivered yet."""
        self.target = max(self.target, change.position)
        if self.held is None:
            self.held = {}
        if len(self.held) < MAX_HELD_CHANGES:
            self.held[change.prev] = change

    def following(self) -> LogChange | None:
        """Removes and returns the held change that follows `delivered`, or None. Drops older ones."""
        if not self.held:
            return None
        following = self.held.pop(self.delivered, None)
        if following is None and self.held:
            self.held = {prev: change for prev, change in self.held.items() if change.position > self.delivered}
            overlapping = min(self.held.values(), key=lambda change: change.prev, default=None)
            if overlapping is not None and overlapping.prev < self.delivered:
                # It covers positions already delivered (a repair delivered past its `prev`), so it still follows.
                following = self.held.pop(overlapping.prev)
        if not self.held:
            self.held = None
        return following

    def cancel_timer(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def remove(self, connection: Connection) -> None:
        self.connections.pop(connection, None)
        if self.ahead is not None:
            self.ahead.pop(connection, None)
            self.ahead = self.ahead or None
