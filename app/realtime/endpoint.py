"""The WebSocket `/ws/conversations`: one socket carries all conversations of a user.

`hello` is the first frame. The socket enters the hub before its snapshot is read and then receives only newer events,
so none is lost in between. No database session lives as long as the socket: each frame is one transaction.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import Any

import structlog
from litestar.exceptions import WebSocketDisconnect
from litestar.handlers import WebsocketRouteHandler

from app.domain.errors import Unavailable
from app.domain.users.caller import Caller
from app.realtime.commands import CommandContext, Commands
from app.realtime.connection import socket_metrics
from app.realtime.connection.close_codes import MALFORMED, NOT_AUTHENTICATED, RESTARTING, TOO_LARGE, TOO_MANY
from app.realtime.connection.connection import SOCKETS_PER_USER, STUCK_SECONDS, Connection, ConnectionGone
from app.realtime.connection.frame_limits import FRAMES_PER_SECOND, FrameLimiter
from app.realtime.connection.transport import transport_of
from app.realtime.frames.answer_frames import ErrorFrame
from app.realtime.frames.client_frames import MAX_FRAME_BYTES, Malformed, parse_frame
from app.realtime.frames.frame_encoder import frame_of
from app.realtime.handshake import Authenticator, HandshakeRefused, Socket, accepted_subprotocol
from app.realtime.hello import send_hello, socket_limits
from app.realtime.unauthenticated_sockets import UnauthenticatedSockets

log = structlog.get_logger(__name__)

PATH = "/ws/conversations"
WATCH_SECONDS = 1.0
DRAIN_SECONDS = 5.0


class SocketEndpoint:
    """All sockets of this process. Run `watch()` as a task; `drain()` closes the sockets for a restart."""

    def __init__(
        self,
        authenticator: Authenticator,
        context: CommandContext,
        *,
        heartbeat: int = 20,
        frames: int = FRAMES_PER_SECOND,
    ) -> None:
        self._hub = context.hub
        self._authenticator = authenticator
        self._unauthenticated = UnauthenticatedSockets(proxy_hops=authenticator.proxy_hops)
        self._context = context
        self._heartbeat = heartbeat
        self._frames = frames
        self._limits = socket_limits(frames)
        self._open: dict[Connection, asyncio.Task[Any]] = {}
        self._draining = False

    def __len__(self) -> int:
        return len(self._open)

    def route(self) -> WebsocketRouteHandler:
        """Returns the handler to register."""

        async def conversations(socket: Socket) -> None:
            await self.serve(socket)

        return WebsocketRouteHandler(PATH, opt={"exclude_from_auth": True})(conversations)

    async def serve(self, socket: Socket) -> None:
        """Serve one socket from handshake to close."""
        peer = socket.scope["client"]
        address = peer[0] if peer else None
        # From here on refusals are close codes, which a client sees only on an accepted socket.
        with suppress(OSError, WebSocketDisconnect, RuntimeError):
            if not self._unauthenticated.enter(address):
                await socket.accept(subprotocols=accepted_subprotocol(socket))
                socket_metrics.note_refused(TOO_MANY)
                transport = transport_of(socket)
                transport.close_at_once(TOO_MANY)
                await transport.wait_closed()
                return
            try:
                caller = await self._accept(socket)
            finally:
                self._unauthenticated.leave(address)
            if caller is not None:
                await self._serve_caller(socket, caller)

    async def _accept(self, socket: Socket) -> Caller | None:
        """Returns the caller, or None after the socket was refused and closed."""
        reason = None
        try:
            caller, code = await self._admit(socket), NOT_AUTHENTICATED
        except HandshakeRefused as refused:
            caller, code, reason = None, refused.code, refused.reason
        except Unavailable:
            caller, code = None, RESTARTING
        await socket.accept(subprotocols=accepted_subprotocol(socket))
        if caller is not None and len(self._hub.registry.sockets_by_user.get(caller.user, ())) >= SOCKETS_PER_USER:
            caller, code = None, TOO_MANY
        if caller is None:
            socket_metrics.note_refused(code)
            transport = transport_of(socket)
            transport.close(code, reason)
            await transport.wait_closed()
        else:
            socket.scope["user"] = caller  # the request log reads it
        return caller

    async def watch(self) -> None:
        """Close sockets whose transport has accepted no bytes for too long."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            now = time.monotonic()
            for connection in list(self._open):
                connection.close_if_stuck(now)

    async def drain(self) -> None:
        """Close all sockets with 1012 after sending their queued frames. Clients then reconnect."""
        self._draining = True
        for connection in self._open:
            connection.close(RESTARTING, flush=True)
        if self._open:
            await asyncio.wait(list(self._open.values()), timeout=DRAIN_SECONDS)

    async def _admit(self, socket: Socket) -> Caller:
        if self._draining:
            raise HandshakeRefused(RESTARTING)
        return await self._authenticator.admit(socket)

    async def _serve_caller(self, socket: Socket, caller: Caller) -> None:
        transport, allowance = transport_of(socket), FrameLimiter(self._frames)
        connection = Connection(caller, transport)
        transport.authenticated(allowance, connection.flush)
        task = asyncio.current_task()
        assert task is not None
        self._open[connection] = task
        expiry = Expiry(connection)
        commands = Commands(connection, self._context, expiry.renew)
        self._hub.register(connection)
        socket_metrics.note_opened()
        received: int | None = None
        try:
            expiry.renew()
            await send_hello(self._hub, connection, self._heartbeat, self._limits)
            received = await self._read_frames(socket, connection, commands, allowance)
        except ConnectionGone:
            await _wait_for_disconnect(socket)
        except (OSError, WebSocketDisconnect):
            pass
        except Exception:
            log.exception("socket_failed")
            connection.close(RESTARTING)
            await _wait_for_disconnect(socket)
        finally:
            expiry.cancel()
            self._hub.unregister(connection)
            self._open.pop(connection, None)
            socket_metrics.note_closed(connection.close_code or received)
            connection.close(NOT_AUTHENTICATED)
            await commands.stop()

    async def _read_frames(
        self, socket: Socket, connection: Connection, commands: Commands, allowance: FrameLimiter
    ) -> int | None:
        """Returns the code of the close frame, if the client sent one."""
        counts_frames = transport_of(socket).counts_frames
        while True:
            message: Any = await socket.receive()
            if message["type"] != "websocket.receive":
                code: int | None = message.get("code")
                return code
            if connection.close_code is not None:
                continue
            if not counts_frames and not allowance.take():
                connection.close(TOO_MANY)
                continue
            text = message.get("text")
            if text is not None and (len(text) > MAX_FRAME_BYTES or len(text.encode()) > MAX_FRAME_BYTES):
                connection.close(TOO_LARGE)
                continue
            try:
                frame = parse_frame(text or "")
            except Malformed as error:
                connection.put(frame_of(ErrorFrame(ref=error.ref, code="malformed", detail=error.detail)))
                if not allowance.note_malformed():
                    connection.close(MALFORMED, flush=True)
                continue
            await commands.execute(frame)


class Expiry:
    """Closes a socket when its access token expires, unless the client renews it before (`auth`)."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._timer: asyncio.TimerHandle | None = None

    def renew(self) -> None:
        self.cancel()
        left = self._connection.caller.expires_at - time.time()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(max(0.0, left), self._connection.close, NOT_AUTHENTICATED)

    def cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


async def _wait_for_disconnect(socket: Socket) -> None:
    """Wait for the disconnect. Returning earlier would cut off the close frame."""
    with suppress(TimeoutError):
        async with asyncio.timeout(STUCK_SECONDS):
            while (await socket.receive())["type"] == "websocket.receive":
                continue
