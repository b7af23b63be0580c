"""Rate limits of a client within this process: frames and bytes per second, and malformed frames."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from uuid import UUID

FRAMES_PER_SECOND = 50
BURST_SECONDS = 2.0
"""An unused allowance accumulates for up to this many seconds."""

BYTES_PER_FRAME = 8 * 1024
"""Average size of a frame: text in any script fits, and the largest `resume` fits into the burst."""

LONGEST_PAUSE = 30.0
MAX_MALFORMED = 10
MALFORMED_SECONDS = 10.0

TYPING_PER_SECOND = 5
"""`typing` frames of one user, over all their sockets in a process; more are dropped."""
READS_PER_SECOND = 10
"""Transactions for `read` frames of one user, over all their sockets in a process; frames in excess are merged."""
USER_BURST = 20
MAX_USERS = 10_000


class Bucket:
    """A token bucket: fills at `rate` a second, up to `capacity`."""

    __slots__ = ("_filled_at", "_tokens", "capacity", "rate")

    def __init__(self, rate: float, capacity: float) -> None:
        self.rate = rate
        self.capacity = capacity
        self._tokens = capacity
        self._filled_at = time.monotonic()

    def take(self, cost: float = 1) -> bool:
        """Take `cost` if available. Returns whether it was."""
        self.fill()
        if self._tokens < cost:
            return False
        self._tokens -= cost
        return True

    def fill(self) -> None:
        """Add the tokens due since the last call, up to `capacity`."""
        now = time.monotonic()
        if self._tokens < self.capacity:
            self._tokens = min(self.capacity, self._tokens + (now - self._filled_at) * self.rate)
        self._filled_at = now

    def credit(self) -> None:
        """Add the tokens due since the last call, even beyond `capacity`: the server was not reading in that time."""
        now = time.monotonic()
        self._tokens = min(
            LONGEST_PAUSE * self.rate + self.capacity, self._tokens + (now - self._filled_at) * self.rate
        )
        self._filled_at = now

    @property
    def seconds(self) -> float:
        """Seconds until one token is available."""
        self.fill()
        return max(0.0, 1 - self._tokens) / self.rate


class FrameLimiter:
    """The limits of one socket: `frames` a second of `BYTES_PER_FRAME` each, and the recent malformed frames.

    Frames are counted on arrival. While the application is busy with an earlier frame, the server does not read; later
    frames wait in the kernel and then arrive together. `pause` and `resume` enclose that time, which is credited in
    full (up to `LONGEST_PAUSE`), so a client that keeps to its rate is never closed because the server was slow.
    """

    __slots__ = ("_bytes", "_frames", "_malformed")

    def __init__(self, frames: int = FRAMES_PER_SECOND) -> None:
        self._frames = Bucket(frames, BURST_SECONDS * frames)
        self._bytes = Bucket(bytes_per_second(frames), BURST_SECONDS * bytes_per_second(frames))
        self._malformed: deque[float] | None = None

    def take(self) -> bool:
        """Whether one more frame is allowed now."""
        return self._frames.take()

    def take_bytes(self, count: int) -> bool:
        """Whether `count` more bytes are allowed now."""
        return self._bytes.take(count)

    def pause(self) -> None:
        """The server stops reading."""
        self._frames.fill()
        self._bytes.fill()

    def resume(self) -> None:
        """The server reads again."""
        self._frames.credit()
        self._bytes.credit()

    def note_malformed(self) -> bool:
        """Record a malformed frame. Returns whether the socket may stay open."""
        now = time.monotonic()
        if self._malformed is None:
            self._malformed = deque(maxlen=MAX_MALFORMED)
        self._malformed.append(now)
        return len(self._malformed) < MAX_MALFORMED or now - self._malformed[0] > MALFORMED_SECONDS


class UserAllowances:
    """One bucket per user, over all their sockets in this process. Evicts the least recently seen users."""

    def __init__(self, rate: float, capacity: float = USER_BURST) -> None:
        self._rate = rate
        self._capacity = capacity
        self._buckets: OrderedDict[UUID, Bucket] = OrderedDict()

    def bucket_of(self, user: UUID) -> Bucket:
        found = self._buckets.get(user)
        if found is None:
            found = self._buckets[user] = Bucket(self._rate, self._capacity)
            if len(self._buckets) > MAX_USERS:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(user)
        return found


def bytes_per_second(frames: int) -> int:
    """The byte rate of a socket with `frames` a second. The burst always fits the largest frame."""
    return max(frames, 16) * BYTES_PER_FRAME
