"""Queues the events of one socket that the application has not read yet."""

from __future__ import annotations

import asyncio
from typing import Any


class EventQueue:
    """A single-reader `asyncio.Queue` in a tenth of its memory. Unbounded: uvicorn stops reading while events wait."""

    __slots__ = ("_events", "_reader")

    def __init__(self) -> None:
        self._events: list[Any] = []
        self._reader: asyncio.Future[None] | None = None

    def empty(self) -> bool:
        return not self._events

    def clear(self) -> None:
        self._events.clear()

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
