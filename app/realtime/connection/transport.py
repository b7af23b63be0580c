"""How a socket's bytes leave. Ours is the server's own transport (`protocol`), which ASGI has no words for: whether it
takes more, a frame ready-made for a thousand sockets, and an end that does not wait for a reader who never reads.

`AsgiTransport` does the same over plain ASGI, slower, where another server runs the application.
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
"""Under this name of the ASGI scope's extensions stands the server's wire, where it has one."""

Socket = WebSocket[Any, Any, Any]


class Transport(Protocol):
    """`write` takes whole frames' bytes and may be called while `takes_more`; `on_writable`: it takes more again.

    `counts_frames`: it ends a socket that sends more than its allowance by itself, with 4429.
    """

    counts_frames: bool
    takes_more: bool
    write: Callable[[bytes], None]
    on_writable: Callable[[], None]

    def accepted(self, allowance: FrameLimiter, /) -> None:
        """The socket is a user's: `allowance` holds from here on, and the handshake, with its token, is forgotten."""

    def end(self, code: int) -> None:
        """Say good-bye with `code`, behind what was written; end it without, if that is not taken in time."""

    def cut(self, code: int) -> None:
        """Say good-bye with `code`, and wait for no answer."""

    async def gone(self) -> None:
        """Wait until the connection that was ended is no more. Bounded by the deadline of `end`."""


def transport_of(socket: Socket) -> Transport:
    """The wire of an open socket."""
    own: Transport | None = (socket.scope.get("extensions") or {}).get(EXTENSION)  # type: ignore[assignment]
    return own or AsgiTransport(socket)


class AsgiTransport:
    """One frame at a time, written by a task."""

    counts_frames = False

    def __init__(self, socket: Socket) -> None:
        self.takes_more = True
        self.write: Callable[[bytes], None] = self._begin
        self.on_writable: Callable[[], None] = lambda: None
        self._socket = socket
        self._writing: asyncio.Task[None] | None = None
        self._code: int | None = None

    def accepted(self, _: FrameLimiter, /) -> None:
        self._socket.scope["headers"] = []

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

    def _begin(self, wire: bytes) -> None:
        self.takes_more = False
        self._writing = asyncio.create_task(self._write(payloads_of(wire)))

    async def _write(self, payloads: list[bytes]) -> None:
        with suppress(OSError, WebSocketDisconnect, RuntimeError):
            for payload in payloads:
                await self._socket.send_text(payload)
        if self._code is not None:
            await self._end()
            return
        self.takes_more = True
        self.on_writable()

    async def _end(self) -> None:
        with suppress(OSError, WebSocketDisconnect, RuntimeError):
            await self._socket.close(self._code or 1000)
