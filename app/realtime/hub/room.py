"""A conversation with listeners in this process: the position they all have been told, and what came out of order.

`delivered` only moves ahead. A change is delivered when it follows on it (`prev == delivered`), dropped when it is not
newer, and otherwise held until what is missing has come or been read from Postgres.
"""

from __future__ import annotations

import asyncio
from uuid import UUID

from app.domain.events import LogChange
from app.realtime.connection.connection import Connection

MAX_HELD_CHANGES = 256
"""Held changes of one room; more are let go, since the repair reads them anyway."""


class Room:
    """`connections` are who listens, each with its own user's read cursor as last told.

    `ahead` are those whose snapshot is newer than `delivered`: to which position they know it all. `target` is a
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
    def behind(self) -> bool:
        """Whether something is known to exist that has not been delivered."""
        return self.target > self.delivered

    def hold(self, change: LogChange) -> None:
        """Keep what cannot be delivered yet."""
        self.target = max(self.target, change.position)
        if self.held is None:
            self.held = {}
        if len(self.held) < MAX_HELD_CHANGES:
            self.held[change.prev] = change

    def following(self) -> LogChange | None:
        """The held change that follows on what has been delivered, if it has come; older ones are let go."""
        if not self.held:
            return None
        following = self.held.pop(self.delivered, None)
        if following is None and self.held:
            self.held = {prev: change for prev, change in self.held.items() if change.position > self.delivered}
            overlapping = min(self.held.values(), key=lambda change: change.prev, default=None)
            if overlapping is not None and overlapping.prev < self.delivered:
                # It jumps over what was delivered (a repair told more at once): it still follows.
                following = self.held.pop(overlapping.prev)
        if not self.held:
            self.held = None
        return following

    def stop_waiting(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def remove(self, connection: Connection) -> None:
        self.connections.pop(connection, None)
        if self.ahead is not None:
            self.ahead.pop(connection, None)
            self.ahead = self.ahead or None
