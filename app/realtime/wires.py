"""How a socket's bytes leave. Ours is the server's own transport (`protocol`), which ASGI has no words for: whether it
takes more, a frame ready-made for a thousand sockets, and an end that does not wait for a reader who never reads.

`AsgiWire` does the same over plain ASGI, slower, where another server runs the application.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

from litestar.connection import WebSocket
from litestar.exceptions import WebSocketDisconnect

from app.realtime.deliveries import Frame

EXTENSION = "chat.wire"
"""Under this name of the ASGI scope's extensions stands the server's wire, where it has one."""

Socket = WebSocket[Any, Any, Any]


class Wire(Protocol):
    """`on_writable` is called when it takes frames again."""

    on_writable: Callable[[], None]

    @property
    def takes_more(self) -> bool:
        """Whether `write` may be called."""

    def write(self, frame: Frame) -> None: ...

    def end(self, code: int) -> None:
        """Say good-bye with `code`, behind what was written; end it without, if that is not taken in time."""


def wire_of(socket: Socket) -> Wire:
    """The wire of an accepted socket."""
    own: Wire | None = (socket.scope.get("extensions") or {}).get(EXTENSION)  # type: ignore[assignment]
    return own or AsgiWire(socket)


class AsgiWire:
    """One frame at a time, written by a task."""

    def __init__(self, socket: Socket) -> None:
        self.on_writable: Callable[[], None] = lambda: None
        self._socket = socket
        self._writing: asyncio.Task[None] | None = None
        self._code: int | None = None

    @property
    def takes_more(self) -> bool:
        return self._writing is None and self._code is None

    def write(self, frame: Frame) -> None:
        self._writing = asyncio.create_task(self._write(frame))

    def end(self, code: int) -> None:
        self._code = code
        if self._writing is None:
            self._writing = asyncio.create_task(self._end())

    async def _write(self, frame: Frame) -> None:
        with suppress(OSError, WebSocketDisconnect, RuntimeError):
            await self._socket.send_text(frame.text)
        if self._code is not None:
            await self._end()
            return
        self._writing = None
        self.on_writable()

    async def _end(self) -> None:
        with suppress(OSError, WebSocketDisconnect, RuntimeError):
            await self._socket.close(self._code or 1000)
