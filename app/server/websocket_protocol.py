"""uvicorn's WebSocket protocol, with the chat's `Transport` (`app.realtime.connection`). Passed to uvicorn as `ws`.

Everything a client sends or leaves unread is bounded. Each frame and byte counts (`frame_parser`); a client that
exceeds its allowance receives 4429, and reading stops. A client that does not read is owed only the latest pong. Every
close has a deadline, after which the connection is aborted: closing a transport waits for a peer that may never read
the rest. Handshakes are not logged: the query may carry a token.
"""

from __future__ import annotations

import asyncio
import socket
from asyncio.transports import BaseTransport
from collections.abc import Callable
from typing import Any

import structlog
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState, ProtocolError
from websockets.frames import CloseCode, Frame
from websockets.http11 import Request

from app.realtime.connection.close_codes import RESTARTING, TOO_MANY, TOO_SLOW, reason_of
from app.realtime.connection.frame_limits import FrameLimiter
from app.realtime.connection.transport import EXTENSION
from app.server.event_queue import EventQueue
from app.server.frame_counter import FrameParser
from app.server.web_server import Config

log = structlog.get_logger(__name__)

CLOSE_SECONDS = 10.0
"""Time for the peer to answer our close frame."""

LINGER_SECONDS = 60.0
"""The same for a client that read too slowly: it should still find the reason when it resumes."""

REFUSED_SECONDS = 3.0
"""The same for a socket that was never admitted."""

SHUTDOWN_SECONDS = 2.0
"""Time for a closing transport to write what is left."""

ADMISSION_SECONDS = 10.0
"""Time from a handshake's head to its response, whatever the application waits for."""

KERNEL_BYTES = 128 * 1024
"""Kernel send buffer per socket (doubled by the kernel). The default grows to megabytes if a client never reads."""


class SocketProtocol(WebSocketsSansIOProtocol):
    """Is also the `Transport` of its socket, passed in the scope's extensions."""

    conn: FrameParser
    counts_frames = True
    config: Config

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.conn = FrameParser(self.config.ws_max_size)
        self.logger = self.conn.logger  # type: ignore[assignment]
        self.can_write = True
        self._on_writable: Callable[[], None] | None = None
        self.queue: EventQueue = EventQueue()  # type: ignore[assignment]
        self._admitted = False
        self._pending_pong: bytes | None = None
        self._deadline: asyncio.TimerHandle | None = None

    # `Transport` of a connection

    @property
    def close_code(self) -> int | None:
        sent, received = self.conn.close_sent, self.conn.close_rcvd
        first = received if self.conn.close_rcvd_then_sent else sent or received
        if first is not None:
            return int(first.code)
        return int(CloseCode.ABNORMAL_CLOSURE) if self.disconnected else None

    def authenticated(self, allowance: FrameLimiter, on_writable: Callable[[], None], /) -> None:
        self._admitted = True
        self._on_writable = on_writable
        self.conn.allowance = allowance
        self._abort_after(None)
        # A handshake's data takes as much memory as its socket.
        self.scope["headers"] = []
        self.scope["query_string"] = b""
        self.scope["subprotocols"] = []
        del self.request, self.response

    def write(self, wire: bytes, /) -> None:
        self.transport.write(wire)

    def close(self, code: int, reason: str | None = None) -> None:
        self.can_write = False
        if self.close_sent or self.disconnected or self.transport.is_closing():
            return
        try:
            self.conn.send_close(code, reason or reason_of(code))
        except (InvalidState, ProtocolError):
            self.transport.abort()
            return
        self._send_close_frame(code)
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        timeout = LINGER_SECONDS if code == TOO_SLOW else CLOSE_SECONDS
        self._await_close_frame(timeout if self._admitted else REFUSED_SECONDS)

    def close_at_once(self, code: int) -> None:
        self.close(code)
        self.transport.close()
        self._bound_closing()

    async def wait_closed(self) -> None:
        while not self.disconnected:
            await self.queue.get()

    # uvicorn's protocol

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)
        # It was counted before the upgrade, so it is within the limits.
        self.config.peers.enter(self.client[0] if self.client else None)
        peer = transport.get_extra_info("socket")
        if peer is not None:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BYTES)
        self._abort_after(ADMISSION_SECONDS)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        self.conn.receive_data(data)
        if self.conn.exceeded:
            self._close_for_excess()
        elif self.conn.parser_exc is not None:
            self.handle_parser_exception()
        else:
            self.handle_events()
            if not self.handshake_initiated and self.conn.handshake_exc is not None:
                # websockets has prepared the response, if any; uvicorn would leave the connection open.
                self.transport.write(b"".join(self.conn.data_to_send()))
                self.transport.close()
        self._bound_closing()

    def eof_received(self) -> None:
        # The transport closes once everything is written.
        self._abort_after(SHUTDOWN_SECONDS)

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if self.response.status_code == 101:
            self.scope["extensions"][EXTENSION] = self  # type: ignore[assignment]

    def handle_cont(self, event: Frame) -> None:
        # Use one buffer: a list of one-byte fragments takes fifty times their size, and empty ones are unbounded.
        payload: Any = self.frames[0]
        if not isinstance(payload, bytearray):
            payload = self.frames[0] = bytearray(payload)  # type: ignore[call-overload]
        payload += event.data
        if event.fin:
            self.send_receive_event_to_app()

    def handle_ping(self) -> None:
        pongs = self.conn.data_to_send()
        if self.close_sent or self.transport.is_closing() or not pongs:
            return
        if self.writable.is_set():
            self.transport.write(b"".join(pongs))
        else:
            # RFC 6455, 5.5.3: only the most recent ping needs an answer.
            self._pending_pong = pongs[-1]

    def handle_close(self, event: Frame) -> None:
        super().handle_close(event)
        self.can_write = False

    def handle_parser_exception(self) -> None:
        close = self.conn.close_sent
        if close is None:
            # A frame arrived before the handshake's response: no close frame can be sent.
            self.transport.abort()
            return
        if not self.close_sent:
            log.info("socket_protocol_error", code=int(close.code), reason=close.reason)
            self._send_close_frame(close.code)
        self.transport.close()

    def send_receive_event_to_app(self) -> None:
        data, self.frames = self.frames[0], []
        if self.close_sent:
            return
        if self.curr_msg_data_type == "text":
            try:
                text = data.decode()
            except UnicodeDecodeError as error:
                self.conn.fail(CloseCode.INVALID_DATA, f"{error.reason} at position {error.start}")
                self.handle_parser_exception()
                return
            self.queue.put_nowait({"type": "websocket.receive", "text": text})
        else:
            self.queue.put_nowait({"type": "websocket.receive", "bytes": bytes(data)})
        if not self.read_paused:
            self.read_paused = True
            self.transport.pause_reading()
            self.conn.allowance.pause()

    async def receive(self) -> Any:
        was_paused = self.read_paused
        event = await super().receive()
        if was_paused and not self.read_paused:
            self.conn.allowance.resume()
        return event

    async def run_asgi(self) -> None:
        await super().run_asgi()
        self._bound_closing()
        if self._deadline is None:
            # The application closed the socket through ASGI: uvicorn waits for a peer that may never read.
            self._abort_after(CLOSE_SECONDS)

    def pause_writing(self) -> None:
        super().pause_writing()
        self.can_write = False

    def resume_writing(self) -> None:
        super().resume_writing()
        self.can_write = not self.close_sent and not self.disconnected
        if self._pending_pong is not None and self.can_write:
            self.transport.write(self._pending_pong)
        self._pending_pong = None
        if self._on_writable is not None:
            self._on_writable()

    def connection_lost(self, exc: Exception | None) -> None:
        self.can_write = False
        self._abort_after(None)
        self.config.peers.leave(self.client[0] if self.client else None)
        super().connection_lost(exc)
        self._on_writable = None

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self._bound_closing()

    def shutdown(self) -> None:
        if self.handshake_complete and not self.close_sent:
            self.close(RESTARTING)
        else:
            super().shutdown()
        self._abort_after(SHUTDOWN_SECONDS)

    def _close_for_excess(self) -> None:
        """Closes with 4429 and stops reading: further client bytes stay in the kernel."""
        self.queue.clear()
        self.config.peers.caused_refusal(self.client[0] if self.client else None)
        if self.close_sent or self.conn.close_sent is None:
            # After our close frame, or before the handshake's response, nothing more can be sent.
            self.transport.abort()
            return
        log.info("socket_excess", admitted=self._admitted)
        self._send_close_frame(TOO_MANY)
        self.read_paused = False
        self.transport.pause_reading()
        self._await_close_frame(SHUTDOWN_SECONDS)

    def _send_close_frame(self, code: int) -> None:
        """Writes the close frame prepared by `conn`. The application gets the disconnect after its unread events."""
        self.can_write = False
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.stop_keepalive()
        self.queue.put_nowait({"type": "websocket.disconnect", "code": int(code), "reason": ""})

    def _await_close_frame(self, seconds: float) -> None:
        self._abort_after(seconds)
        # uvicorn ends the connection when the peer answers, or if there is no timer and the application has ended.
        self.close_timer = self._deadline

    def _bound_closing(self) -> None:
        """Gives a closing transport SHUTDOWN_SECONDS to write what is left."""
        if self.transport.is_closing() and not self.disconnected:
            self._abort_after(SHUTDOWN_SECONDS)

    def _abort_after(self, seconds: float | None) -> None:
        """Aborts the connection after `seconds` unless it ends earlier. None cancels the deadline."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if seconds is not None and not self.disconnected:
            self._deadline = self.loop.call_later(seconds, self.transport.abort)
