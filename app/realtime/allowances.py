"""What one socket may do in a while: frames a second, and frames that make no sense. By this process's own clock."""

from __future__ import annotations

import time
from collections import deque

FRAMES_PER_SECOND = 50
MOST_MALFORMED = 10
MALFORMED_SECONDS = 10.0


class Allowance:
    """A bucket of two seconds' frames that fills with `frames` a second, and the last malformed ones."""

    __slots__ = ("_at", "_frames", "_left", "_malformed")

    def __init__(self, frames: int = FRAMES_PER_SECOND) -> None:
        self._frames = frames
        self._left = 2.0 * frames
        self._at = time.monotonic()
        self._malformed: deque[float] | None = None

    def take(self) -> bool:
        """Whether one more frame is allowed now."""
        now = time.monotonic()
        self._left = min(2.0 * self._frames, self._left + (now - self._at) * self._frames)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True

    def stumble(self) -> bool:
        """Note a malformed frame; whether it may be forgiven."""
        now = time.monotonic()
        if self._malformed is None:
            self._malformed = deque(maxlen=MOST_MALFORMED)
        self._malformed.append(now)
        return len(self._malformed) < MOST_MALFORMED or now - self._malformed[0] > MALFORMED_SECONDS
