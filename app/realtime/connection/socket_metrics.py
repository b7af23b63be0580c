"""Metrics of sockets and of delivery to them. Close codes are bounded: a client may send any of thousands."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from app.realtime.connection import close_codes

OPEN: Final = Gauge("chat_sockets_open", "Sockets that are authenticated and open now.", multiprocess_mode="livesum")
OPENED: Final = Counter("chat_sockets_opened", "Sockets that were authenticated.")
CLOSED: Final = Counter("chat_sockets_closed", "Authenticated sockets that closed, by close code.", ["code"])
REFUSED: Final = Counter("chat_sockets_refused", "Sockets refused before they were authenticated, by code.", ["code"])
FRAMES: Final = Counter("chat_frames_written", "Frames written to sockets.")
DELIVERY_BUCKETS: Final = (
    *(0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075),
    *(0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0),
)
DELIVERY: Final = Histogram(
    "chat_delivery_seconds",
    "Time from a message's `sent_at` until a process has written it to its sockets, once per write.",
    buckets=DELIVERY_BUCKETS,
)

ABNORMAL: Final = 1006
"""The connection ended without a close frame (RFC 6455, 7.4.1)."""

KNOWN: Final = frozenset(range(1000, 1016)) | {
    code for name, code in vars(close_codes).items() if name.isupper() and isinstance(code, int)
}


class FrameTally:
    """Frames written since the last `flush`: a delivery to a thousand sockets adds to the counter once."""

    __slots__ = ("frames",)

    def __init__(self) -> None:
        self.frames = 0

    def flush(self) -> None:
        """Adds the tally to the counter."""
        written, self.frames = self.frames, 0
        if written:
            FRAMES.inc(written)


tally: Final = FrameTally()


def note_opened() -> None:
    """Counts a socket that was authenticated."""
    OPENED.inc()
    OPEN.inc()


def note_closed(code: int | None) -> None:
    """Counts the end of an authenticated socket."""
    OPEN.dec()
    CLOSED.labels(_label(code)).inc()


def note_refused(code: int) -> None:
    """Counts a socket that was refused with this close code."""
    REFUSED.labels(_label(code)).inc()


def _label(code: int | None) -> str:
    code = code or ABNORMAL
    return str(code) if code in KNOWN else "other"
