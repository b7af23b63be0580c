"""The send side of one socket: frames that the transport does not accept at once wait in a bounded queue.

Senders never wait for a slow reader. The queue holds at most `MAX_QUEUED_BYTES` and `MAX_QUEUED_FRAMES`. A newer `read`
replaces a queued one, and a full queue drops typing and presence; if that is not enough, the socket is closed with 4408
and the client catches up when it reconnects. A socket whose transport accepts nothing for `STUCK_SECONDS` is closed
too: pings do not detect a client that answers them but reads nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Collection
from uuid import UUID

from app.domain.users.caller import Caller
from app.realtime.connection.close_codes import TOO_SLOW
from app.realtime.connection.socket_metrics import tally
from app.realtime.connection.transport import Transport
from app.realtime.frames.frame_encoder import Frame, frame_of
from app.realtime.frames.server_frames import AccessRevoked, Reason

MAX_QUEUED_BYTES = 1024 * 1024 - 128 * 1024
"""In addition to the transport's own buffer (64 KiB and one frame); together less than 1 MB."""
MAX_QUEUED_FRAMES = 1_000
MAX_REVOCATIONS = 5_000
"""Revoked conversations remembered per socket: as many as a user may have. Only a `resume` that was in transit when
access was revoked needs them, so the oldest are evicted."""
STUCK_SECONDS = 10.0
SOCKETS_PER_USER = 20
"""Per process."""


class ConnectionGone(Exception):
    """The socket is closed or closing; nothing can be sent."""


class QueuedFrame:
    """A place in the queue; a newer frame may replace its frame."""

    __slots__ = ("frame",)

    def __init__(self, frame: Frame) -> None:
        self.frame = frame


class Connection:
    """`rooms` are the subscribed conversations. `catching_up` are those the socket is catching up on without a
    subscription, each with the user's read cursor last sent.

    `revoked` are conversations whose access ended and that were not sent again since; a `resume` of one needs the whole
    conversation, not changes. `last_broadcast` is the number of the last broadcast delivered, None until the first
    poll; `opened_at` is that of the last broadcast before the socket opened. `ready` is set once `hello` is sent or
    queued, `settled` once the whole snapshot is.
    """

    __slots__ = (
        "__weakref__",
        "_bytes",
        "_merged",
        "_queue",
        "_stuck_since",
        "_transport",
        "_waiting",
        "caller",
        "catching_up",
        "close_code",
        "last_broadcast",
        "opened_at",
        "ready",
        "revoked",
        "rooms",
        "settled",
        "user",
    )

    def __init__(self, caller: Caller, transport: Transport) -> None:
        self.caller = caller
        self.user = caller.user
        self.rooms: set[UUID] = set()
        self.catching_up: dict[UUID, int] = {}
        self.revoked: dict[UUID, None] | None = None
        self.last_broadcast: int | None = None
        self.opened_at: int | None = None
        self.ready = False
        self.settled = False
        self.close_code: int | None = None
        self._transport = transport
        self._queue: deque[QueuedFrame] | None = None
        self._bytes = 0
        self._merged: dict[tuple[UUID, UUID], QueuedFrame] | None = None
        self._stuck_since: float | None = None
        self._waiting: asyncio.Future[None] | None = None

    def lacks(self, conversation: UUID) -> bool:
        """Whether the socket is open and neither subscribed to the conversation nor catching up on it."""
        return self.close_code is None and conversation not in self.rooms and conversation not in self.catching_up

    def revoke(self, conversation: UUID, reason: Reason = "not_a_member") -> None:
        """Send `access.revoked`. Only the whole conversation (`send_snapshot`) restores access, not changes."""
        self.put(frame_of(AccessRevoked(conversation=conversation, reason=reason)))
        self.revoked = self.revoked or {}
        self.revoked[conversation] = None
        if len(self.revoked) > MAX_REVOCATIONS:
            del self.revoked[next(iter(self.revoked))]

    def send_snapshot(self, conversations: Collection[UUID], frame: Frame) -> None:
        """Send `frame`, which holds the current state of `conversations`."""
        self.put(frame)
        if self.revoked is not None:
            for conversation in conversations:
                self.revoked.pop(conversation, None)
            self.revoked = self.revoked or None

    def is_revoked(self, conversation: UUID) -> bool:
        return self.revoked is not None and conversation in self.revoked

    @property
    def queued(self) -> tuple[int, int]:
        """Queued (frames, bytes)."""
        return len(self._queue or ()), self._bytes

    def put(self, frame: Frame) -> None:
        """Write or queue `frame`, or close with 4408 if the queue is full. Never waits, never raises."""
        if self.close_code is not None:
            return
        transport = self._transport
        if self._queue is not None or not transport.can_write:
            self._enqueue(frame)
            return
        try:
            transport.write(frame.wire)
            tally.frames += frame.count
        except (OSError, RuntimeError):
            # The transport has just closed. That must not stop delivery to the other sockets of the room.
            self.close(TOO_SLOW)

    def close(self, code: int, *, flush: bool = False) -> None:
        """Close with `code`. Queued frames are dropped, or sent first with `flush`."""
        if self.close_code is not None:
            return
        self.close_code = code
        if not (flush and self._queue):
            self._queue = self._merged = None
            self._bytes = 0
            self._transport.close(code)
        self._wake()

    def close_if_stuck(self, now: float) -> None:
        """Close if the transport has accepted nothing for `STUCK_SECONDS`; `now` is monotonic. Called periodically."""
        if self._stuck_since is None or now - self._stuck_since < STUCK_SECONDS:
            return
        self._queue = self._merged = None
        self._bytes = 0
        if self.close_code is None:
            self.close(TOO_SLOW)
        else:
            self._transport.close(self.close_code)
        self._stuck_since = None

    async def wait_for_space(self) -> None:
        """Wait until the queue is at most half full. For senders of many frames.

        Raises:
            ConnectionGone: the socket is closed.
        """
        while self.close_code is None and self._is_filling:
            if self._waiting is None:
                self._waiting = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._waiting)
        if self.close_code is not None:
            raise ConnectionGone

    @property
    def _is_filling(self) -> bool:
        return 2 * self._bytes > MAX_QUEUED_BYTES or 2 * len(self._queue or ()) > MAX_QUEUED_FRAMES

    def _has_room(self, frame: Frame) -> bool:
        return self._bytes + frame.size <= MAX_QUEUED_BYTES and len(self._queue or ()) < MAX_QUEUED_FRAMES

    def _enqueue(self, frame: Frame) -> None:
        if frame.loss != "never" and self._merge_or_drop(frame):
            return
        if not self._has_room(frame):
            self._drop_ephemeral()
            if not self._has_room(frame):
                self.close(TOO_SLOW)
                return
        if self._queue is None:
            self._queue = deque()
            self._stuck_since = time.monotonic()
        queued = QueuedFrame(frame)
        self._queue.append(queued)
        self._bytes += frame.size
        if frame.key is not None:
            self._merged = self._merged or {}
            self._merged[frame.key] = queued

    def flush(self) -> None:
        """Write queued frames for as long as the transport accepts them. It calls this when it accepts more again."""
        while self._queue and self._transport.can_write:
            queued = self._queue.popleft()
            frame, merged = queued.frame, self._merged
            self._bytes -= frame.size
            if frame.key is not None and merged is not None and merged.get(frame.key) is queued:
                del merged[frame.key]
            self._transport.write(frame.wire)
            tally.frames += frame.count
        if self._queue:
            self._stuck_since = time.monotonic()
        else:
            if self.close_code is not None and self._queue is not None:
                self._transport.close(self.close_code)
            self._queue = self._merged = None
            self._stuck_since = None
        if not self._is_filling:
            self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    def _merge_or_drop(self, frame: Frame) -> bool:
        """Whether `frame` need not be queued: it replaced an older one, or may be dropped and the queue is filling."""
        if frame.loss == "dropped":
            return self._is_filling
        older = (self._merged or {}).get(frame.key) if frame.key is not None else None
        if older is None:
            return False
        self._bytes += frame.size - older.frame.size
        older.frame = frame
        return True

    def _drop_ephemeral(self) -> None:
        """Drop queued frames that may be lost."""
        self._queue = deque(queued for queued in self._queue or () if queued.frame.loss != "dropped")
        self._bytes = sum(queued.frame.size for queued in self._queue)
