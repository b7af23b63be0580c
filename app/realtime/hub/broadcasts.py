"""Delivers broadcasts to this process's sockets: polls Postgres every second, and when the bus announces one.

So each arrives within two seconds even without Redis. Each connection records the number of the last broadcast it
received, so it receives each once. User cursors move after delivery: a crash in between repeats the broadcast, with
the same `id` in its frame.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec
import structlog

from app.db import Database
from app.domain.broadcasts import unseen
from app.domain.broadcasts.schemas import Announcement
from app.domain.broadcasts.unseen import Listener, UnseenBroadcast
from app.domain.errors import ChatError
from app.realtime.connection.connection import Connection
from app.realtime.frames.encoding import Frame, frame_of
from app.realtime.frames.server_frames import BroadcastFrame

if TYPE_CHECKING:
    from app.realtime.hub.hub import Hub

log = structlog.get_logger(__name__)

POLL_SECONDS = 1.0
POLL_TIMEOUT_SECONDS = 5.0
MAX_NEW_LISTENERS = 500
MAX_LISTENERS_PER_POLL = 5_000
"""Users whose cursors move in one statement."""


class BroadcastPoller:
    """Run `run()` as a task of the process; `soon()` requests a poll at once."""

    def __init__(self, hub: Hub, database: Database) -> None:
        self._hub = hub
        self._database = database
        self._unsaved: dict[UUID, int] = {}
        self._wanted = asyncio.Event()
        self._failing = False

    def soon(self) -> None:
        self._wanted.set()

    async def run(self) -> None:
        """Poll without end. No failure stops it."""
        while True:
            started = time.monotonic()
            self._wanted.clear()
            try:
                async with asyncio.timeout(POLL_TIMEOUT_SECONDS):
                    await self.once()
                self._failing = False
            except (ChatError, TimeoutError, OSError) as error:
                self._note_failure(type(error).__name__)
            except Exception:
                log.exception("announcing_failed")
            try:
                async with asyncio.timeout(max(0.0, started + POLL_SECONDS - time.monotonic())):
                    await self._wanted.wait()
            except TimeoutError:
                continue

    async def once(self) -> None:
        """Deliver the broadcasts that are due.

        Raises:
            Unavailable: the database is unavailable.
        """
        await self._save()
        async with self._database.look() as reader:
            through = await unseen.newest(reader)
        newcomers = list(islice((one for one in self._ready() if one.announced is None), MAX_NEW_LISTENERS))
        before = self._hub.last_broadcast
        present = [one for one in self._ready() if one.announced is not None] if before not in (None, through) else []
        if through and (newcomers or present):
            async with self._database.transaction() as session:
                missed = await unseen.missed(session, {_listener(one) for one in newcomers}, through)
                news = await unseen.since(session, {_listener(one) for one in present}, before or 0, through)
            frames: dict[UUID, Frame] = {}
            self._tell(newcomers, missed, through, frames)
            self._tell(present, news, through, frames)
        for one in newcomers:
            one.announced = through
        self._hub.last_broadcast = through
        await self._save()
        if len(newcomers) == MAX_NEW_LISTENERS:
            self.soon()

    def _ready(self) -> Iterable[Connection]:
        """The sockets that have received `hello`."""
        return (one for sockets in list(self._hub.people.values()) for one in list(sockets) if one.ready)

    def _tell(self, sockets: list[Connection], told: UnseenBroadcast, through: int, frames: dict[UUID, Frame]) -> None:
        for connection in sockets:
            connection.announced = through
            for announcement in told.get(_listener(connection), ()):
                if announcement.id not in frames:
                    frames[announcement.id] = frame(announcement)
                connection.put(frames[announcement.id])
                self._unsaved[connection.user] = through

    async def _save(self) -> None:
        """Move the cursors of users who received broadcasts. A failed update is retried with the next poll."""
        while self._unsaved:
            through = next(iter(self._unsaved.values()))
            users = list(
                islice((user for user, number in self._unsaved.items() if number == through), MAX_LISTENERS_PER_POLL)
            )
            async with self._database.transaction() as session:
                await unseen.move(session, users, through)
            for user in users:
                del self._unsaved[user]

    def _note_failure(self, error: str) -> None:
        if not self._failing:
            log.warning("announcing_failed", error=error)
        self._failing = True


def _listener(connection: Connection) -> Listener:
    return connection.user, connection.opened_at


def frame(announcement: Announcement) -> Frame:
    return frame_of(BroadcastFrame(**msgspec.structs.asdict(announcement)))
