"""Aborts a connection whose client does not read its response."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from app.server import limits


class UnreadWatch:
    """Runs from `start` to `stop`, while the write buffer of `transport` is full. `on_stalled` precedes the abort."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, on_stalled: Callable[[], None]):
        self._transport = transport
        self._loop = loop
        self._on_stalled = on_stalled
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Requires that the client reads UNREAD_STEP bytes in each UNREAD_SECONDS."""
        before = self._transport.get_write_buffer_size()
        self._timer = self._loop.call_later(limits.UNREAD_SECONDS, self._check, before)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check(self, before: int) -> None:
        if before - self._transport.get_write_buffer_size() < limits.UNREAD_STEP:
            self._on_stalled()
            self._transport.abort()
        else:
            self.start()
