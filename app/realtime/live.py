"""Live delivery of one process, put together: the hub hears the bus, the look heals it, the sockets are served."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from litestar.handlers import WebsocketRouteHandler

from app.db import Database
from app.domain.messages.sending import Sender
from app.domain.users.tokens import Tokens
from app.realtime.allowances import FRAMES_PER_SECOND
from app.realtime.bus import Bus
from app.realtime.handshake import Gate
from app.realtime.hub import Hub
from app.realtime.journal import Journal
from app.realtime.look import Look
from app.realtime.sockets import Sockets


class Live:
    """`database` hands over to `bus`. `readers` is what the hub reads with: a pool of its own, if given, so that
    looks and repairs never wait behind requests."""

    def __init__(
        self,
        bus: Bus,
        database: Database,
        sender: Sender,
        tokens: Tokens,
        *,
        origins: Collection[str],
        query_tokens: bool = True,
        frames: int = FRAMES_PER_SECOND,
        readers: Database | None = None,
    ) -> None:
        self.bus = bus
        self.hub = Hub(Journal(readers or database))
        self.look = Look(self.hub)
        gate = Gate(database, tokens, origins=origins, query_tokens=query_tokens)
        self.sockets = Sockets(self.hub, gate, database, sender, bus.tell, frames=frames)
        self._tasks: list[asyncio.Task[None]] = []
        bus.listen(self.hub.hear, self.look.soon)

    def route(self) -> WebsocketRouteHandler:
        """The WebSocket handler, to be registered with the application (beside `bus.plugin`)."""
        return self.sockets.route()

    async def start(self) -> None:
        """On the process's loop. A database that is away now is looked for every second."""
        await self.bus.start()
        self._tasks = [asyncio.create_task(self.look.run()), asyncio.create_task(self.sockets.watch())]

    async def drain(self) -> None:
        """Close all sockets with 1012 and admit no more; before the writer is stopped nothing is lost by it."""
        await self.sockets.drain()

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.hub.stop()
