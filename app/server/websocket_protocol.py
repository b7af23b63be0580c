"""uvicorn's WebSocket protocol, and what a chat needs beyond ASGI: see `wires`. uvicorn receives it as its `ws`.

A socket that the application ends is ended: the close frame is written behind what the transport has taken, and a peer
that does not read it is cut off, not waited for. No handshake is logged: its query may carry a token.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from asyncio.transports import BaseTransport
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState, ProtocolError
from websockets.http11 import Request

from app.realtime.connections import TOO_SLOW
from app.realtime.wires import EXTENSION

GOODBYE_SECONDS = 10.0
"""How long the other side may take to answer our close frame."""

LINGER_SECONDS = 60.0
"""The same for a reader that was too slow: it should still find the reason when it wakes up."""

SHUTDOWN_SECONDS = 2.0

KERNEL_BYTES = 128 * 1024
"""What the kernel may hold for one socket (it doubles this); by itself it would take megabytes for who never reads."""

_warnings_only = logging.getLogger("uvicorn.error.sockets")
_warnings_only.setLevel(logging.WARNING)


def _nothing() -> None:
    """Nobody waits."""


def _refuse(wire: bytes) -> None:
    """There is no transport yet."""


class Line:
    """What `asyncio.Queue` is to one reader, in a tenth of its memory. uvicorn stops reading while something waits."""

    __slots__ = ("_events", "_reader")

    def __init__(self) -> None:
        self._events: list[Any] = []
        self._reader: asyncio.Future[None] | None = None

    def empty(self) -> bool:
        return not self._events

    def put_nowait(self, event: Any) -> None:
        self._events.append(event)
        reader, self._reader = self._reader, None
        if reader is not None and not reader.done():
            reader.set_result(None)

    async def get(self) -> Any:
        while not self._events:
            self._reader = asyncio.get_running_loop().create_future()
            await self._reader
        return self._events.pop(0)


class SocketProtocol(WebSocketsSansIOProtocol):
    """Also the `Wire` of its socket, found in the scope."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.logger = _warnings_only
        self.takes_more = True
        self.write: Callable[[bytes], None] = _refuse
        self.on_writable: Callable[[], None] = _nothing
        self.queue: Line = Line()  # type: ignore[assignment]

    def accepted(self) -> None:
        """As the wire of a connection. Ten thousand handshakes are as large as their sockets."""
        self.scope["headers"] = []
        self.scope["query_string"] = b""
        self.scope["subprotocols"] = []
        del self.request, self.response

    def end(self, code: int) -> None:
        """As the wire of a connection."""
        self.takes_more = False
        if self.close_sent or self.disconnected or self.transport.is_closing():
            return
        try:
            self.conn.send_close(code)
        except (InvalidState, ProtocolError):
            self.transport.abort()
            return
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.stop_keepalive()
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": ""})
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        patience = LINGER_SECONDS if code == TOO_SLOW else GOODBYE_SECONDS
        self.close_timer = self.loop.call_later(patience, self.transport.abort)

    # As uvicorn's protocol

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)
        self.write = self.transport.write
        peer = transport.get_extra_info("socket")
        if peer is not None:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BYTES)

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if self.response.status_code == 101:
            self.scope["extensions"][EXTENSION] = self  # type: ignore[assignment]

    def pause_writing(self) -> None:
        super().pause_writing()
        self.takes_more = False

    def resume_writing(self) -> None:
        super().resume_writing()
        self.takes_more = not self.close_sent and not self.disconnected
        self.on_writable()

    def connection_lost(self, exc: Exception | None) -> None:
        self.takes_more = False
        super().connection_lost(exc)
        self.write, self.on_writable = _refuse, _nothing

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        # `close()` waits for what a peer that is gone will never take.
        self.loop.call_later(SHUTDOWN_SECONDS, self.transport.abort)

    def shutdown(self) -> None:
        if self.handshake_complete and not self.close_sent:
            self.end(1012)
        else:
            super().shutdown()
        self.loop.call_later(SHUTDOWN_SECONDS, self.transport.abort)
