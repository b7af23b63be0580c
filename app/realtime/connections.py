"""One socket's way out: a bounded queue and one task that writes. Nobody ever waits for a slow reader.

At most `MOST_BYTES` and `MOST_FRAMES` wait. When they are too many, typing and presence go first, a newer `read` takes
the place of an older one, and then the socket is closed with 4408: it catches up when it returns. A write that is not
taken within `SEND_SECONDS` ends the socket too: pings do not find out a client that answers them and reads nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID

from app.domain.users.callers import Caller
from app.realtime.deliveries import Frame

if TYPE_CHECKING:
    from app.realtime.rooms import Room

MOST_BYTES = 1024 * 1024
MOST_FRAMES = 1_000
SEND_SECONDS = 10.0

TOO_LARGE = 1009
RESTARTING = 1012
MALFORMED = 4400
NOT_AUTHENTICATED = 4401
REFUSED = 4403
TOO_SLOW = 4408
TOO_MANY = 4429

Send = Callable[[dict[str, Any]], Awaitable[None]]


class Gone(Exception):
    """The socket is closed, or being closed; nothing can be sent any more."""


class Slot:
    """A place in the queue, whose frame may be replaced by a newer one."""

    __slots__ = ("frame",)

    def __init__(self, frame: Frame) -> None:
        self.frame = frame


class Connection:
    """`rooms` are what it hears; `ready` once `hello` is on its way, `settled` once the whole snapshot is."""

    __slots__ = (
        "_bytes",
        "_drained",
        "_merged",
        "_queue",
        "_send",
        "_wake",
        "caller",
        "close_code",
        "ready",
        "rooms",
        "sending_since",
        "settled",
        "user",
    )

    def __init__(self, caller: Caller, send: Send) -> None:
        self.caller = caller
        self.user = caller.user
        self.rooms: dict[UUID, Room] = {}
        self.ready = False
        self.settled = False
        self.close_code: int | None = None
        self.sending_since: float | None = None
        self._send = send
        self._queue: deque[Slot] = deque()
        self._bytes = 0
        self._merged: dict[tuple[UUID, UUID], Slot] = {}
        self._wake = asyncio.Event()
        self._drained = asyncio.Event()

    def put(self, frame: Frame) -> None:
        """Queue `frame`, or close with 4408 when too much waits. Never waits, never raises."""
        if self.close_code is not None:
            return
        if frame.loss != "never" and self._queue and self._lost(frame):
            return
        if self._bytes + frame.size > MOST_BYTES or len(self._queue) >= MOST_FRAMES:
            self._shed()
            if self._bytes + frame.size > MOST_BYTES or len(self._queue) >= MOST_FRAMES:
                self.close(TOO_SLOW)
                return
        slot = Slot(frame)
        if frame.key is not None:
            self._merged[frame.key] = slot
        self._queue.append(slot)
        self._bytes += frame.size
        if len(self._queue) == 1:
            self._wake.set()

    def close(self, code: int, *, flush: bool = False) -> None:
        """End it with `code`. What waits is dropped, or sent first with `flush`."""
        if self.close_code is not None:
            return
        self.close_code = code
        if not flush:
            self._clear()
        self._wake.set()
        self._drained.set()

    async def room_for_more(self) -> None:
        """Wait until less than half of what may wait does: for those who have much to tell.

        Raises:
            Gone: the socket is over.
        """
        while self.close_code is None and (2 * self._bytes > MOST_BYTES or 2 * len(self._queue) > MOST_FRAMES):
            self._drained.clear()
            await self._drained.wait()
        if self.close_code is not None:
            raise Gone

    async def write(self) -> None:
        """The writing task: sends what is queued until the socket is closed. Raises what the server's send raises."""
        while True:
            while self._queue:
                slot = self._queue.popleft()
                frame = slot.frame
                self._bytes -= frame.size
                if frame.key is not None and self._merged.get(frame.key) is slot:
                    del self._merged[frame.key]
                self.sending_since = time.monotonic()
                await self._send(frame.message)
            self.sending_since = None
            self._drained.set()
            if self.close_code is not None:
                return
            self._wake.clear()
            await self._wake.wait()

    def _lost(self, frame: Frame) -> bool:
        """Whether `frame` need not be queued: it replaced an older one, or may be dropped and much waits."""
        if frame.loss == "dropped":
            return 2 * self._bytes > MOST_BYTES or 2 * len(self._queue) > MOST_FRAMES
        older = self._merged.get(frame.key) if frame.key is not None else None
        if older is None:
            return False
        self._bytes += frame.size - older.frame.size
        older.frame = frame
        return True

    def _shed(self) -> None:
        """Leave out what may be dropped."""
        self._queue = deque(slot for slot in self._queue if slot.frame.loss != "dropped")
        self._bytes = sum(slot.frame.size for slot in self._queue)

    def _clear(self) -> None:
        self._queue.clear()
        self._merged.clear()
        self._bytes = 0
