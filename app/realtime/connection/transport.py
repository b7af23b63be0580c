"""Writes a socket's bytes. The server's own transport (`app.server.websocket_protocol`) offers what ASGI lacks:
back-pressure, one encoded frame shared by a thousand sockets, and a close that does not wait for a slow reader.

`AsgiTransport` is a slower fallback over plain ASGI, for use with another server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

from litestar.connection import WebSocket
from litestar.exceptions import WebSocketDisconnect

from app.realtime.connection.frame_limits import FrameLimiter
from app.realtime.frames.encoding import payloads_of

EXTENSION = "chat.wire"
"""Key of the server's own transport in the ASGI scope's `extensions`."""

Socket = WebSocket[Any, Any, Any]


class Transport(Protocol):
    """With `counts_frames` the transport itself closes a socket that exceeds its allowance, with 4429."""

    counts_frames: bool
    takes_more: bool

    def accepted(self, allowance: FrameLimiter, on_writable: Callable[[], None], /) -> None:
        """The socket is authenticated: enforce `allowance`, and discard the handshake headers with their token.

        `on_writable` is called whenever the transport accepts more after it did not.
        """

    def write(self, wire: bytes, /) -> None:
        """Write whole frames. Call it only while `takes_more`."""

    def end(self, code: int) -> None:
        """Send a close frame with `code` after the bytes written. Abort if the peer does not accept it in time."""

    def cut(self, code: int) -> None:
        """Send a close frame with `code` without waiting for an answer."""

    async def gone(self) -> None:
        """Wait until the closed connection is gone. Bounded by the deadline of `end`."""


def transport_of(socket: Socket) -> Transport:
    """Returns the transport of an open socket."""
    own: Transport | None = (socket.scope.get("extensions") or {}).get(EXTENSION)  # type: ignore[assignment]
    return own or AsgiTransport(socket)


class AsgiTransport:
    """Writes one batch of frames at a time, in a task."""

    counts_frames = False

    def __init__(self, socket: Socket) -> None:
        self.takes_more = True
        self._socket = socket
        self._on_writable: Callable[[], None] | None = None
        self._writing: asyncio.Task[None] | None = None
        self._code: int | None = None

    def accepted(self, _: FrameLimiter, on_writable: Callable[[], None], /) -> None:
        self._on_writable = on_writable
        self._socket.scope["headers"] = []

    def write(self, wire: bytes, /) -> None:
        self.takes_more = False
        self._writing = asyncio.create_task(self._write(payloads_of(wire)))

    def cut(self, code: int) -> None:
        self.end(code)

    async def gone(self) -> None:
        if self._writing is not None:
            await self._writing

    def end(self, code: int) -> None:
        self._code = code
        if self.takes_more:
            self.takes_more = False
            self._writing = asyncio.create_task(self._end())

    async def _write(self, payloads: list[bytes]) -> None:
        with suppress(OSError, WebSocketDisconnect, RuntimeError):
            for payload in payloads:
                await self._socket.send_text(payload)
        if self._code is not None:
            await self._end()
            return
        self.takes_more = True
        if self._on_writable is not None:
            self._on_writable()

    async def _end(self) -> None:
        with suppress(OSError, WebSocketDisconnect, RuntimeError):
            await self._socket.close(self._code or 1000)
