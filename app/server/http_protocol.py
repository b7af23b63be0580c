"""uvicorn's HTTP protocol with limits, so that no client can block or exhaust a process. Passed to uvicorn as `http`.

Everything stored for a client is bounded (see `limits`), and so is every wait: a connection is always in one state, and
each state has a deadline. Bytes that do not advance a request (empty lines, trailers, chunk extensions) count as head
bytes. A refused client receives a problem response, and its connection closes.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

import httptools
from prometheus_client import Counter
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from app.api.errors import codes
from app.server import limits
from app.server.refusals import RESPONSES, Refused, reason_of
from app.server.unread_watch import UnreadWatch
from app.server.web_server import Config

PIECE_BYTES: Final = 16 * 1024
"""Bytes parsed between checks of the limits. Most requests are smaller."""

SHUTDOWN_SECONDS: Final = 2.0

REFUSED = Counter("chat_http_refused", "Requests and connections refused by the HTTP protocol, by reason.", ["why"])

_errors_only = logging.getLogger("uvicorn.error.requests")
_errors_only.setLevel(logging.ERROR)
# Warnings concern clients, who could flood the log; REFUSED counts them instead.


class RequestProtocol(HttpToolsProtocol):
    """One connection, until it is upgraded to a WebSocket."""

    config: Config

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.logger = _errors_only
        self._peers = self.config.peers
        self._reading: str | None = "head"
        self._request_number = 0  # of the request being read
        self._head_bytes = self._fields = self._body_bytes = self._chunks = self._idle_bytes = 0
        self._answering: RequestResponseCycle | None = None
        self._reading_ended = False  # true once nothing more is parsed
        self._discardable_bytes = limits.DISCARDED_BYTES
        self._is_lingering = self._is_counted = False
        self._deadline_state: tuple[str | None, int] = (None, 0)
        self._deadline: asyncio.TimerHandle | None = None
        self._abort_timer: asyncio.TimerHandle | None = None

    # The connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._unread = UnreadWatch(transport, self.loop, REFUSED.labels("unread").inc)
        self._is_counted = True
        if self._peers.enter(self._address):
            self._set_deadline()
        else:
            self._refuse(codes.TOO_MANY_CONNECTIONS)

    def connection_lost(self, exc: Exception | None) -> None:
        self._reading_ended = True
        self._release()
        self._unread.stop()
        if self._abort_timer is not None:
            self._abort_timer.cancel()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self) -> None:
        self._reading_ended = True
        self._release()
        super().handle_websocket_upgrade()

    def eof_received(self) -> bool:  # type: ignore[override]
        """A client may close its half and wait for responses: True keeps our half open for them."""
        last: RequestResponseCycle | None = self.cycle
        if last is None or last.response_complete or self._reading == "body":
            return False
        last.keep_alive = False
        return True

    def shutdown(self) -> None:
        super().shutdown()
        if self.transport.is_closing():
            self._abort_after(SHUTDOWN_SECONDS)

    # Reading requests

    def data_received(self, data: bytes) -> None:
        if self._reading_ended:
            self._discard(data)
        for start in range(0, len(data), PIECE_BYTES):
            if self._reading_ended:
                return
            self._read(data if len(data) <= PIECE_BYTES else data[start : start + PIECE_BYTES])
        if not self._reading_ended:
            self._set_deadline()

    def _read(self, piece: bytes) -> None:
        self._idle_bytes += len(piece)
        try:
            self.parser.feed_data(piece)
            if self._idle_bytes > limits.HEAD_BYTES + PIECE_BYTES:
                raise Refused(codes.HEAD_TOO_LARGE)
        except httptools.HttpParserUpgrade:
            if self._should_upgrade():
                self.handle_websocket_upgrade()
        except httptools.HttpParserError as error:
            self._refuse(reason_of(error))
        except Refused as refused:
            self._refuse(refused.error)

    def _discard(self, data: bytes) -> None:
        """Drops what a refused client still sends, up to a limit: reading a gigabyte a second takes a whole core."""
        self._discardable_bytes -= len(data)
        if self._discardable_bytes < 0:
            self.flow.pause_reading()

    def on_message_begin(self) -> None:
        if len(self.pipeline) >= limits.PIPELINED:
            raise Refused(codes.NOT_HTTP)
        self._unset_keepalive_if_required()
        self._reading = "head"
        self._request_number += 1
        self._head_bytes = self._fields = self._body_bytes = self._chunks = self._idle_bytes = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > limits.URL_BYTES:
            raise Refused(codes.URL_TOO_LONG)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields += 1
        self._head_bytes += len(name) + len(value) + 4
        if self._fields > limits.HEAD_FIELDS or self._head_bytes + len(self.url) > limits.HEAD_BYTES:
            raise Refused(codes.HEAD_TOO_LARGE)
        # Fields after a body are trailers, which the chat does not use.
        if self._reading == "head":
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        codings = [value.strip().lower() for name, value in self.headers if name == b"transfer-encoding"]
        if codings and codings != [b"chunked"]:
            raise Refused(codes.UNKNOWN_TRANSFER_CODING)
        self._reading = "body"
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._idle_bytes = 0
        self._body_bytes += len(body)
        self._chunks += 1
        if self._chunks > limits.CHUNKS:
            raise Refused(codes.TOO_MANY_CHUNKS)
        # Up to the limit the application decides what to refuse; beyond it nothing more is read.
        if self._body_bytes > limits.BODY_BYTES and self.cycle.response_complete:
            raise Refused(codes.TOO_LARGE)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._reading = None
        self._idle_bytes = 0
        super().on_message_complete()

    # Writing responses

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing():
            self._abort_unless_read()

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._abort_unless_read()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread.start()
        self._peers.reading_stopped(self.transport)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._peers.reading_resumed(self.transport)
        self._unread.stop()

    # Refusing requests

    def _refuse(self, error: codes.HttpError) -> None:
        """Stops reading. Earlier requests are still answered; then the refusal is sent and the connection closes."""
        REFUSED.labels(error.code).inc()
        if error is codes.TOO_MANY_CONNECTIONS:
            self._discardable_bytes = limits.DISCARDED_UNADMITTED_BYTES
        else:
            self._peers.caused_refusal(self._address)
        self._reading_ended = True
        self._cancel_deadline()
        self._unset_keepalive_if_required()
        self.flow.resume_reading()  # further bytes are discarded: `_discard`
        if self._reading == "body":
            self._drop_incomplete_request()
        last = self.pipeline[0][0] if self.pipeline else self._answering
        if last is not None and not last.response_complete and not last.disconnected:
            last.keep_alive = False
        elif last is not None and last.disconnected and last.response_started:
            self.transport.abort()
        else:
            # A request that was answered before its body arrived gets no second response.
            self._answer_and_linger(
                b"" if self._reading == "body" and self.cycle.response_complete else RESPONSES[error]
            )

    def _drop_incomplete_request(self) -> None:
        """Drops the request whose body is incomplete, whether it is queued or already running."""
        if self.pipeline:
            self.pipeline.popleft()
        elif not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()

    def _answer_and_linger(self, response: bytes) -> None:
        """Writes `response` and lingers, so that the client can read it before the kernel discards it."""
        if self.transport.is_closing():
            return
        if not self._peers.start_linger():
            self.transport.abort()
            return
        self._is_lingering = True
        self.transport.write(response)
        self.transport.write_eof()
        self._abort_after(limits.LINGER_SECONDS)

    # Deadlines

    @property
    def _address(self) -> str | None:
        return self.client[0] if self.client else None

    def _set_deadline(self) -> None:
        """Sets the deadline of the current state. Most requests arrive in one piece and need no timer."""
        state = (self._reading, self._request_number)
        if state == self._deadline_state:
            return
        self._cancel_deadline()
        self._deadline_state = state
        if self._reading is not None:
            timeout = limits.HEAD_SECONDS if self._reading == "head" else limits.BODY_SECONDS
            self._deadline = self.loop.call_later(timeout, self._deadline_passed)

    def _deadline_passed(self) -> None:
        if self._request_number or self._idle_bytes:
            self._refuse(codes.REQUEST_TIMEOUT)
        else:
            REFUSED.labels("silent").inc()
            self.transport.abort()

    def _cancel_deadline(self) -> None:
        self._deadline_state = (None, self._request_number)
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _abort_unless_read(self) -> None:
        """Aborts a closing connection whose last response bytes stay unread: they are too few for `pause_writing`.
        `UnreadWatch` watches larger remainders."""

        def check() -> None:
            if self.flow.write_paused:
                self._abort_unless_read()
            else:
                self.transport.abort()

        self._abort_timer = self.loop.call_later(limits.UNREAD_SECONDS, check)

    def _abort_after(self, seconds: float) -> None:
        """Aborts after `seconds`, because `close()` waits for bytes that the client may never read."""
        if self._abort_timer is None:
            self._abort_timer = self.loop.call_later(seconds, self.transport.abort)

    def _release(self) -> None:
        """Releases timers and counts: the connection has ended or become a WebSocket."""
        self._cancel_deadline()
        self._peers.reading_resumed(self.transport)
        if self._is_counted:
            self._is_counted = False
            self._peers.leave(self._address)
        if self._is_lingering:
            self._is_lingering = False
            self._peers.end_linger()
