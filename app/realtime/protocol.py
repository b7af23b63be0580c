"""uvicorn's WebSocket protocol, and what a chat needs beyond ASGI: see `wires`. Given to uvicorn as its `ws`.

A socket that is told to end is ended: the close frame is written behind what the transport has taken, and a peer that
does not read it is cut off, not waited for. And no handshake is logged: its query may carry a token.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState, ProtocolError
from websockets.http11 import Request

from app.realtime.connections import TOO_SLOW
from app.realtime.deliveries import Frame
from app.realtime.wires import EXTENSION

GOODBYE_SECONDS = 10.0
"""How long the other side may take to answer our close frame."""

LINGER_SECONDS = 60.0
"""The same for a reader that was too slow: it should still find the reason when it wakes up."""

SHUTDOWN_SECONDS = 2.0

_warnings_only = logging.getLogger("uvicorn.error.sockets")
_warnings_only.setLevel(logging.WARNING)


def _nothing() -> None:
    """Nobody waits."""


class SocketProtocol(WebSocketsSansIOProtocol):
    """Also the `Wire` of its socket, found in the scope."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.logger = _warnings_only
        self.on_writable: Callable[[], None] = _nothing

    # As the wire of a connection

    @property
    def takes_more(self) -> bool:
        return self.writable.is_set() and not self.close_sent and not self.disconnected

    def write(self, frame: Frame) -> None:
        self.transport.write(frame.wire)

    def end(self, code: int) -> None:
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

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if self.response.status_code == 101:
            self.scope["extensions"][EXTENSION] = self  # type: ignore[assignment]

    def resume_writing(self) -> None:
        super().resume_writing()
        self.on_writable()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.on_writable = _nothing

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
