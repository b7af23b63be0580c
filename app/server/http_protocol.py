"""uvicorn's HTTP protocol, and a deadline for the head of a request. uvicorn receives it as its `http`.

A head that does not come in time ends its connection: an open port is no place to wait in.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HANDSHAKE_SECONDS = 10.0
"""How long the head of a request may take to come, an unfinished handshake's too."""


class RequestProtocol(HttpToolsProtocol):
    """HTTP, whose requests' heads have a deadline. Once the head is there, the application's own deadlines hold."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._reading_head = True
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._reading_head = False
        self._watch_head()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch_head()

    def on_message_begin(self) -> None:
        self._reading_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._reading_head = False
        super().on_headers_complete()

    def _watch_head(self) -> None:
        # Most heads come in one piece: they never see a timer.
        if not self._reading_head and self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        elif self._reading_head and self._deadline is None:
            self._deadline = self.loop.call_later(HANDSHAKE_SECONDS, self.transport.abort)
