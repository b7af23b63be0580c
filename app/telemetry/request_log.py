"""Logs one line per request: id, method, path, status, milliseconds, user. Never the query, a header or a body. A
socket's line follows its end, and its status is the close code (1006 for a connection that was lost).

Lines are buffered and written five times a second, and before any other line of the process, so that the log is in
order: a line costs microseconds, and a kill -9 loses at most a fifth of a second of lines.

The log has a bounded size, and anonymous clients must not push other lines out of it: paths are truncated, and beyond
`STRANGERS_LINES` a minute their requests are only counted.
"""

from __future__ import annotations

import asyncio
import logging
import random
import re
import time
import weakref
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

import structlog

from app.telemetry import http_metrics
from app.telemetry.redaction import redacted

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

HEADER: Final = b"x-request-id"
SOCKET: Final = "WEBSOCKET"
"""The method in a socket's line."""
TRANSPORT: Final = "chat.wire"
"""Key of the server's own transport in the scope's `extensions`; it knows the code of the close frame."""
SILENT: Final = frozenset({"/livez", "/readyz", "/metrics"})  # requested every few seconds by monitoring
FLUSH_SECONDS: Final = 0.2
LONGEST_PATH: Final = 200
"""Characters. The chat's longest path has 150."""

STRANGERS_LINES: Final = 1_200
"""Lines per minute and process for requests without a user. At 500 bytes each, the 60 MB of the log (see `logging`)
cover more than an hour and a half whatever clients do. Requests of users are throttled separately."""

WINDOW_SECONDS: Final = 60.0
# A client's request id is repeated in headers and logs: no spaces, no control characters, bounded length.
_ACCEPTABLE: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_PLAIN: Final = re.compile(r"[\w/-]*", re.ASCII)  # no pattern of the redaction matches these characters alone
_log = logging.getLogger("chat.requests")
log = structlog.get_logger(__name__)


_logs: weakref.WeakSet[RequestLog] = weakref.WeakSet()


def flush() -> None:
    """Writes the buffered lines of this process. From any thread."""
    for one in tuple(_logs):
        one.flush()


class RequestLog:
    """Outermost ASGI middleware: `application.asgi_handler = RequestLog(application.asgi_handler)`."""

    def __init__(self, inner: Application, *, flush_seconds: float = FLUSH_SECONDS) -> None:
        self.inner = inner
        self.flush_seconds = flush_seconds
        # Appended to and emptied by one end each, which is safe across threads.
        self.waiting: deque[dict[str, Any]] = deque()
        self.left_out = 0
        self._window = 0.0
        self._strangers = 0
        _logs.add(self)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.inner(scope, receive, send)
            return
        request_id = _request_id(scope)
        structlog.contextvars.bind_contextvars(request_id=request_id)
        started = time.perf_counter()
        answered = 0.0
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal answered, status
            kind = message["type"]
            if kind == "http.response.start":
                status = message["status"]
                answered = time.perf_counter()
                message["headers"] = [*message.get("headers", ()), (HEADER, request_id.encode())]
            elif kind == "websocket.close":
                status = message.get("code", 1000)
            await send(message)

        async def receive_code() -> Message:
            nonlocal status
            message = await receive()
            if message["type"] == "websocket.disconnect":
                status = status or message.get("code", 1005)
            return message

        transport = (scope.get("extensions") or {}).get(TRANSPORT)
        is_plain_socket = scope["type"] == "websocket" and transport is None
        try:
            await self.inner(scope, receive_code if is_plain_socket else receive, send_with_id)
        finally:
            if scope["type"] == "http":
                http_metrics.observe(scope, status, (answered or time.perf_counter()) - started)
            if transport is not None:
                status = status or transport.close_code or 0
            if scope["path"] not in SILENT or status >= 400:
                self._add(scope, request_id, status, (time.perf_counter() - started) * 1_000)

    def _add(self, scope: Scope, request_id: str, status: int, milliseconds: float) -> None:
        user = _user(scope)
        if user is None and not self._is_within_limit():
            return
        path = scope["path"][:LONGEST_PATH]
        line = {
            "timestamp": f"{datetime.now(UTC).isoformat(timespec='microseconds')[:-6]}Z",
            "level": "info",
            "logger": _log.name,
            "event": "request",
            "request_id": request_id,
            "method": scope.get("method", SOCKET),
            "path": path if _PLAIN.fullmatch(path) else _on_one_line(redacted(path)),
            "status": status,
            "ms": round(milliseconds, 1),
            "user": user,
        }
        if not self.waiting:
            asyncio.get_running_loop().call_later(self.flush_seconds, self.flush)
        self.waiting.append(line)

    def _is_within_limit(self) -> bool:
        """Whether this minute's budget allows another line for a request without a user. Counts the request."""
        loop = asyncio.get_running_loop()
        if loop.time() >= self._window:
            self._window, self._strangers = loop.time() + WINDOW_SECONDS, 0
        self._strangers += 1
        if self._strangers <= STRANGERS_LINES:
            return True
        if not self.left_out:
            loop.call_at(self._window, self._log_left_out)
        self.left_out += 1
        return False

    def _log_left_out(self) -> None:
        left_out, self.left_out = self.left_out, 0
        log.warning("requests_not_logged", requests=left_out, seconds=WINDOW_SECONDS)

    def flush(self) -> None:
        lines = []
        with suppress(IndexError):
            while True:
                lines.append(self.waiting.popleft())
        if lines:
            _log.info("%d requests", len(lines), extra={"request_lines": lines})


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == HEADER and _ACCEPTABLE.fullmatch(value):
            return str(value, "ascii")
    return f"{random.getrandbits(128):032x}"


def _on_one_line(path: str) -> str:
    """Escapes line breaks and other control characters: a path must not add its own lines to the log."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in path)


def _user(scope: Scope) -> str | None:
    """Returns the id of the authenticated user, or None."""
    caller = scope.get("user")
    return None if caller is None else str(caller.user)
