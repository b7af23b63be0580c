"""What is lost on the way to a client: an answer with its connection, or an event without a sign."""

from __future__ import annotations

from tests.support.proxy import Cut, Plain


class Left:
    """How many are still to be lost."""

    def __init__(self, count: int) -> None:
        self.count = count


class Forgetful(Plain):
    """Cuts the line instead of passing the answer to a send."""

    def __init__(self, left: Left) -> None:
        self._left = left

    def down(self, data: bytes) -> bytes:
        if self._left.count and b'"type":"ack"' in data and b'"seq":' in data:
            self._left.count -= 1
            raise Cut
        return data


class Leaky(Plain):
    """Leaves out the event of a message "lost…", when that is all that comes: whole frames follow."""

    def __init__(self, left: Left) -> None:
        self._left = left

    def down(self, data: bytes) -> bytes:
        is_one_frame = data[:2] == b"\x81\x7e" and int.from_bytes(data[2:4], "big") == len(data) - 4
        if self._left.count and is_one_frame and b'"text":"lost' in data:
            self._left.count -= 1
            return b""
        return data
