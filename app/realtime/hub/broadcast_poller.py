"""Delivers broadcasts to this process's sockets: polls Postgres every second, and when the bus announces one.

So each arrives within two seconds even without Redis. Each connection records the number of the last broadcast it
received, so it receives each once. User cursors move after delivery: a crash in between repeats the broadcast, with
the same `id` in its frame.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import islice
from uuid import UUID

import msgspec
import structlog

from app.db import Database
from app.domain.broadcasts import unseen
from app.domain.broadcasts.schemas import Announcement
from app.domain.broadcasts.unseen import Listener, UnseenBroadcast
from app.domain.errors import ChatError
from app.realtime.connection.connection import Connection
from app.realtime.frames.frame_encoder import Frame, frame_of
from app.realtime.frames.server_frames import BroadcastFrame
from app.realtime.hub.hub import Hub
from app.realtime.hub.poll_timer import PollTimer

log = structlog.get_logger(__name__)

POLL_TIMEOUT_SECONDS = 5.0
MAX_NEW_LISTENERS = 500
MAX_LISTENERS_PER_POLL = 5_000
"""Users whose cursors move in one statement."""


class BroadcastPoller:
    """Run `run()` as a task of the process. `timer` says when to poll."""

    def __init__(self, hub: Hub, database: Database, timer: PollTimer) -> None:
        self._hub = hub
        self._database = database
        self._timer = timer
        self._unsaved_cursors: dict[UUID, int] = {}
        self._failing = False

    async def run(self) -> None:
        """Poll without end. No failure stops it."""
        while True:
            await self._timer.wait()
            try:
                async with asyncio.timeout(POLL_TIMEOUT_SECONDS):
                    await self.poll()
                self._failing = False
            except (ChatError, TimeoutError, OSError) as error:
                self._note_failure(type(error).__name__)
            except Exception:
                log.exception("broadcasts_failed")

    async def poll(self) -> None:
        """Deliver the broadcasts that are due.

        Raises:
            Unavailable: the database is unavailable.
        """
        await self._save_cursors()
        async with self._database.read_only() as reader:
            through = await unseen.newest_number(reader)
        before = self._hub.last_broadcast
        newcomers = list(islice(self._ready_sockets(is_new=True), MAX_NEW_LISTENERS))
        others = list(self._ready_sockets(is_new=False)) if before not in (None, through) else []
        if through and (newcomers or others):
            async with self._database.transaction() as session:
                missed = await unseen.missed(session, set(map(_listener, newcomers)), through)
                recent = await unseen.since(session, set(map(_listener, others)), before or 0, through)
            frames: dict[UUID, Frame] = {}
            self._deliver(newcomers, missed, through, frames)
            self._deliver(others, recent, through, frames)
        for connection in newcomers:
            connection.last_broadcast = through
        self._hub.last_broadcast = through
        await self._save_cursors()
        if len(newcomers) == MAX_NEW_LISTENERS:
            self._timer.wake()

    def _ready_sockets(self, *, is_new: bool) -> Iterator[Connection]:
        """Yields the sockets that have received `hello`: new ones without a broadcast number, or the others."""
        for sockets in list(self._hub.registry.sockets_by_user.values()):
            for connection in list(sockets):
                if connection.ready and (connection.last_broadcast is None) is is_new:
                    yield connection

    def _deliver(
        self, sockets: list[Connection], broadcasts: UnseenBroadcast, through: int, frames: dict[UUID, Frame]
    ) -> None:
        for connection in sockets:
            connection.last_broadcast = through
            for announcement in broadcasts.get(_listener(connection), ()):
                if announcement.id not in frames:
                    frames[announcement.id] = broadcast_frame(announcement)
                connection.put(frames[announcement.id])
                self._unsaved_cursors[connection.user] = through

    async def _save_cursors(self) -> None:
        """Move the cursors of users who received broadcasts. A failed update is retried with the next poll."""
        while self._unsaved_cursors:
            through = next(iter(self._unsaved_cursors.values()))
            users = list(
                islice(
                    (user for user, number in self._unsaved_cursors.items() if number == through),
                    MAX_LISTENERS_PER_POLL,
                )
            )
            async with self._database.transaction() as session:
                await unseen.move_cursors(session, users, through)
            for user in users:
                del self._unsaved_cursors[user]

    def _note_failure(self, error: str) -> None:
        if not self._failing:
            log.warning("broadcasts_failed", error=error)
        self._failing = True


def _listener(connection: Connection) -> Listener:
    return connection.user, connection.opened_at


def broadcast_frame(announcement: Announcement) -> Frame:
    return frame_of(BroadcastFrame(**msgspec.structs.asdict(announcement)))
