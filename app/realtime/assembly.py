"""Wires the live delivery of one process: the bus feeds the hub, the poller repairs it, the endpoint serves sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from functools import partial

from litestar.handlers import WebsocketRouteHandler

from app.db import Database
from app.domain.auth.tokens import Tokens
from app.realtime.bus.bus import Bus
from app.realtime.bus.ephemeral_events import Event
from app.realtime.commands import CommandContext
from app.realtime.connection.frame_limits import FRAMES_PER_SECOND
from app.realtime.endpoint import SocketEndpoint
from app.realtime.handshake import Authenticator
from app.realtime.hub.broadcast_poller import BroadcastPoller
from app.realtime.hub.gap_repair import GapRepair
from app.realtime.hub.hub import Hub, HubHooks
from app.realtime.hub.hub_queries import HubReads
from app.realtime.hub.new_members import Joins
from app.realtime.hub.poll_timer import PollTimer
from app.realtime.hub.poller import Poller
from app.realtime.presence import Presence, find_online
from app.realtime.read_marks import ReadMarks
from app.realtime.typing_limits import TypingLimits
from app.store.local_conversation_cache import ConversationCache
from app.store.message_writer import MessageWriter
from app.throttling.limiter import RateLimiter


class LiveDelivery:
    """`database` publishes to `bus`. The hub reads through `readers`, a separate pool if given, so that polls and
    repairs never wait behind requests. `limiter` throttles the sockets and receives changed throttle policies."""

    def __init__(
        self,
        bus: Bus,
        database: Database,
        writer: MessageWriter,
        tokens: Tokens,
        limiter: RateLimiter,
        *,
        origins: Collection[str],
        query_tokens: bool = True,
        proxy_hops: int = 0,
        frames: int = FRAMES_PER_SECOND,
        readers: Database | None = None,
    ) -> None:
        self.bus = bus
        self.presence = Presence(bus.redis, database, bus.publish, bus.origin.hex())
        self.repairs, self.joins = GapRepair(), Joins()
        poll_timer, broadcast_timer = PollTimer(), PollTimer()
        self.hub = Hub(
            HubReads(readers or database),
            HubHooks(
                on_arrival=self.presence.arrived,
                on_departure=self.presence.left,
                on_broadcast=broadcast_timer.wake,
                on_policies_changed=poll_timer.wake,
                on_gap=self.repairs.start,
                on_join=self.joins.start,
            ),
        )
        # Without the bus, cached access would be as old as the last poll.
        self.access = ConversationCache(database, trusted=lambda: self.hub.trusted and bus.connected)
        self.poller = Poller(self.hub, self.access, poll_timer, limiter)
        self.broadcasts = BroadcastPoller(self.hub, readers or database, broadcast_timer)
        authenticator = Authenticator(
            database, tokens, limiter, origins=origins, query_tokens=query_tokens, proxy_hops=proxy_hops
        )
        self.read_marks = ReadMarks(database)
        context = CommandContext(
            self.hub,
            database,
            writer,
            tokens,
            bus.publish,
            partial(find_online, bus.redis),
            limiter,
            self.read_marks,
            TypingLimits(database),
        )
        self.endpoint = SocketEndpoint(authenticator, context, frames=frames)
        self._tasks: list[asyncio.Task[None]] = []
        bus.listen(self.receive, poll_timer.wake)

    def receive(self, events: Sequence[Event]) -> None:
        """Process events of this and other processes. Never raises."""
        # Access first: a client may send a request as soon as the hub has delivered an event.
        self.access.apply_events(events)
        self.hub.receive(events)

    def route(self) -> WebsocketRouteHandler:
        """Returns the WebSocket handler. Register it with the application, together with `bus.plugin`."""
        return self.endpoint.route()

    async def start(self) -> None:
        """Start on the process's event loop. While the database is unavailable, the poll is retried every second."""
        await self.bus.start()
        await self.poller.poll()  # the first request already meets the current throttles
        runs = (self.poller.run(), self.endpoint.watch(), self.presence.run(), self.broadcasts.run())
        self._tasks = [asyncio.create_task(run) for run in runs]

    async def drain(self) -> None:
        """Close all sockets with 1012, admit no more, and store pending read marks. Call it before the writer stops."""
        await self.endpoint.drain()
        await self.read_marks.stop()

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.repairs.stop()
        await self.joins.stop()
