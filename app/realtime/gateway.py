"""Live delivery of one process, put together: the hub hears the bus, the look heals it, the sockets are served."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from functools import partial

from litestar.handlers import WebsocketRouteHandler

from app.db import Database
from app.domain.auth.tokens import Tokens
from app.domain.messages.send import Sender
from app.realtime.bus.bus import Bus
from app.realtime.bus.ephemeral_events import Event
from app.realtime.commands import CommandContext
from app.realtime.connection.frame_limits import FRAMES_PER_SECOND
from app.realtime.endpoint import SocketEndpoint
from app.realtime.handshake import Authenticator, HandshakeLimiter
from app.realtime.hub.broadcasts import BroadcastPoller
from app.realtime.hub.hub import Hub
from app.realtime.hub.poller import Limits, Poller
from app.realtime.hub.reads import HubReads
from app.realtime.presence import Presence, online
from app.realtime.read_marks import ReadMarks
from app.realtime.typing_limits import TypingMarks
from app.store.read_access import ReadAccess


class Gateway:
    """`database` hands over to `bus`. `readers` is what the hub reads with: a pool of its own, if given, so that
    looks and repairs never wait behind requests. `limits` are told which policies changed."""

    def __init__(
        self,
        bus: Bus,
        database: Database,
        sender: Sender,
        tokens: Tokens,
        requests: HandshakeLimiter,
        *,
        origins: Collection[str],
        query_tokens: bool = True,
        proxy_hops: int = 0,
        frames: int = FRAMES_PER_SECOND,
        readers: Database | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.bus = bus
        self.hub = Hub(HubReads(readers or database))
        self.access = ReadAccess(database)
        # While others are not heard, what is known would be as old as the last look.
        self.access.trusted = lambda: self.hub.trusted and bus.hearing
        self.look = Poller(self.hub, self.access, limits)
        self.announcements = BroadcastPoller(self.hub, readers or database)
        self.hub.announced = self.announcements.soon
        self.presence = Presence(bus.accelerator, database, bus.tell, bus.origin.hex())
        self.hub.arrived, self.hub.left = self.presence.arrived, self.presence.left
        self.hub.news = self.look.soon
        gate = Authenticator(
            database, tokens, requests, origins=origins, query_tokens=query_tokens, proxy_hops=proxy_hops
        )
        self.read_marks = ReadMarks(database)
        means = CommandContext(
            self.hub,
            database,
            sender,
            tokens,
            bus.tell,
            partial(online, bus.accelerator),
            requests,
            self.read_marks,
            TypingMarks(database),
        )
        self.sockets = SocketEndpoint(gate, means, frames=frames)
        self._tasks: list[asyncio.Task[None]] = []
        bus.listen(self.hear, self.look.soon)

    def hear(self, events: Sequence[Event]) -> None:
        """What happened, here or elsewhere. Never raises."""
        # First what decides, then what takes longer: a socket's reader may ask at once.
        self.access.hear(events)
        self.hub.hear(events)

    def route(self) -> WebsocketRouteHandler:
        """The WebSocket handler, to be registered with the application (beside `bus.plugin`)."""
        return self.sockets.route()

    async def start(self) -> None:
        """On the process's loop. A database that is away now is looked for every second."""
        await self.bus.start()
        await self.look.once()  # throttles are those of now from the first request on
        runs = (self.look.run(), self.sockets.watch(), self.presence.run(), self.announcements.run())
        self._tasks = [asyncio.create_task(run) for run in runs]

    async def drain(self) -> None:
        """Close all sockets with 1012 and admit no more; before the writer is stopped nothing is lost by it."""
        await self.sockets.drain()
        await self.read_marks.stop()

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.hub.stop()
