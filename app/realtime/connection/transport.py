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

from app.realtime.connection.close_codes import reason_of
from app.realtime.connection.frame_limits import FrameLimiter
from app.realtime.frames.frame_encoder import payloads_of

EXTENSION = "chat.wire"
"""Key of the server's own transport in the ASGI scope's `extensions`."""

Socket = WebSocket[Any, Any, Any]


class Transport(Protocol):
    """With `counts_frames` the transport itself closes a socket that exceeds its allowance, with 4429."""

    counts_frames: bool
    can_write: bool

    @property
    def close_code(self) -> int | None:
        """The code of the first close frame, ours or the client's; 1006 if the connection ended without one, None while
        it is open."""

    def authenticated(self, allowance: FrameLimiter, on_writable: Callable[[], None], /) -> None:
        """The socket is authenticated: enforce `allowance`, and discard the handshake headers with their token.

        `on_writable` is called whenever the transport accepts more after it did not.
        """

    def write(self, wire: bytes, /) -> None:
        """Write whole frames. Call it only while `can_write`."""

    def close(self, code: int, reason: str | None = None) -> None:
        """Send a close frame with `code` after the bytes written. Abort if the peer does not accept it in time.

        `reason` defaults to the code's word.
        """

    def close_at_once(self, code: int) -> None:
        """Send a close frame with `code` without waiting for an answer."""

    async def wait_closed(self) -> None:
        """Wait until the closed connection is gone. Bounded by the deadline of `close`."""


def transport_of(socket: Socket) -> Transport:
    """Returns the transport of an open socket."""
    own: Transport | None = (socket.scope.get("extensions") or {}).get(EXTENSION)  # type: ignore[assignment]
    return own or AsgiTransport(socket)


class AsgiTransport:
    """Writes one batch of frames at a time, in a task."""

    counts_frames = False

    def __init__(self, socket: Socket) -> None:
        self.can_write = True
        self._socket = socket
        self._on_writable: Callable[[], None] | None = None
        self._write_task: asyncio.Task[None] | None = None
        self._close_code: int | None = None
        self._reason: str | None = None

    @property
    def close_code(self) -> int | None:
        return self._close_code

    def authenticated(self, _: FrameLimiter, on_writable: Callable[[], None], /) -> None:
        self._on_writable = on_writable
        self._socket.scope["headers"] = []

    def write(self, wire: bytes, /) -> None:
        self.can_write = False
        self._write_task = asyncio.create_task(self._write(payloads_of(wire)))

    def close_at_once(self, code: int) -> None:
        self.close(code)

    async def wait_closed(self) -> None:
        if self._write_task is not None:
            await self._write_task

    def close(self, code: int, reason: str | None = None) -> None:
        self._close_code, self._reason = code, reason or reason_of(code)
        if self.can_write:
            self.can_write = False
            self._write_task = asyncio.create_task(self._send_close())

    async def _write(self, payloads: list[bytes]) -> None:
        with suppress(OSError, WebSocketDisconnect, RuntimeError):
            for payload in payloads:
                await self._socket.send_text(payload)
        if self._close_code is not None:
            await self._send_close()
            return
        self.can_write = True
        if self._on_writable is not None:
            self._on_writable()

    async def _send_close(self) -> None:
        with suppress(OSError, WebSocketDisconnect, RuntimeError):
            await self._socket.close(self._close_code or 1000, reason=self._reason)
