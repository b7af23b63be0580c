"""The websockets parser, extended to count every frame before processing it.

The application only sees whole messages. A client can also send empty, continuation and control frames, each a few
bytes that cost the server a hundred times as much; they are counted here, on arrival.
"""

from __future__ import annotations

import logging

from websockets.frames import Frame
from websockets.server import ServerProtocol

from app.realtime.connection.close_codes import TOO_MANY, reason_of
from app.realtime.connection.frame_limits import FrameLimiter

_logger = logging.getLogger("uvicorn.error.sockets")
_logger.setLevel(logging.WARNING)


class FrameParser(ServerProtocol):
    """`exceeded` is true once the client has sent more than `allowance` permits; nothing after that is parsed."""

    def __init__(self, max_size: int | None) -> None:
        super().__init__(max_size=max_size, logger=_logger)
        self.allowance = FrameLimiter()
        self.exceeded = False

    def receive_data(self, data: bytes | bytearray) -> None:
        if self.allowance.take_bytes(len(data)):
            super().receive_data(data)
        else:
            self._fail_excess()

    def recv_frame(self, frame: Frame) -> None:
        if self.allowance.take():
            super().recv_frame(frame)
        else:
            self._fail_excess()

    def fail(self, code: int, reason: str = "") -> None:
        super().fail(code, reason_of(code) or reason)

    def _fail_excess(self) -> None:
        self.exceeded = True
        # Drop the answers to earlier frames: only the close frame is written.
        self.events.clear()
        self.writes.clear()
        self.fail(TOO_MANY)
