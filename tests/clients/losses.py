"""What is lost on the way to a client: an answer with its connection, or an event without a sign."""

from __future__ import annotations

import re

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
    """Leaves out the events of messages "lost…", whatever comes with them."""

    def __init__(self, left: Left) -> None:
        self._left = left
        self._is_socket = False
        self._buffer = b""

    def down(self, data: bytes) -> bytes:
        if self._is_socket:
            return self._kept(data)
        greeting, end, rest = data.partition(b"\r\n\r\n")
        self._is_socket = greeting.startswith(b"HTTP/1.1 101")
        return greeting + end + self._kept(rest) if self._is_socket else data

    def _kept(self, data: bytes) -> bytes:
        self._buffer += data
        kept = b""
        while (size := _size(self._buffer)) <= len(self._buffer):
            frame, self._buffer = self._buffer[:size], self._buffer[size:]
            if self._left.count and b'"text":"lost' in frame:
                self._left.count -= 1
            else:
                kept += frame
        return kept


class Inflating(Plain):
    """Gives the event of the message "inflated" a position that the server has not reached."""

    def __init__(self, left: Left) -> None:
        self._left = left

    def down(self, data: bytes) -> bytes:
        if self._left.count and b'"text":"inflated"' in data:
            self._left.count -= 1
            return re.sub(rb'"position":\d', b'"position":9', data, count=1)
        return data


class Throttling(Plain):
    """Notes the paths of requests. Sockets after the first are closed with 4401 until a refresh has passed; the first
    refreshes, as many as `left` says, are 429."""

    def __init__(self, left: Left, requested: list[bytes]) -> None:
        self._left, self._requested = left, requested
        self._refused = self._closed = False

    def up(self, data: bytes) -> bytes:
        if found := re.match(rb"[A-Z]+ (/\S*) HTTP", data):
            path = found[1]
            if path.endswith(b"/refresh/") and self._left.count:
                self._left.count -= 1
                self._refused = True
            self._closed = path.startswith(b"/ws/") and path in self._requested and bool(self._left.count)
            self._requested.append(path)
        # A refused refresh does not reach its route: the token stays unused.
        return data.replace(b"/refresh/", b"/refused/") if self._refused else data

    def down(self, data: bytes) -> bytes:
        if self._refused:
            return b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        if self._closed:
            greeting, end, _ = data.partition(b"\r\n\r\n")
            return greeting + end + b"\x88\x02\x11\x31" if greeting.startswith(b"HTTP/1.1 101") else b""
        return data


class Noting(Plain):
    """Notes the paths of requests."""

    def __init__(self, paths: list[bytes]) -> None:
        self._paths = paths

    def up(self, data: bytes) -> bytes:
        if found := re.match(rb"[A-Z]+ (/\S*) HTTP", data):
            self._paths.append(found[1])
        return data


class Closing(Noting):
    """Closes each socket at once, with this close frame."""

    def __init__(self, frame: bytes, paths: list[bytes]) -> None:
        super().__init__(paths)
        self._frame = frame
        self._is_socket = False

    def down(self, data: bytes) -> bytes:
        if self._is_socket:
            return b""
        greeting, end, _ = data.partition(b"\r\n\r\n")
        self._is_socket = greeting.startswith(b"HTTP/1.1 101")
        return greeting + end + self._frame if self._is_socket else data


class Stale(Noting):
    """Makes the first pages of messages older than they are, as many as `left` says."""

    def __init__(self, left: Left, paths: list[bytes]) -> None:
        super().__init__(paths)
        self._left = left

    def down(self, data: bytes) -> bytes:
        if self._left.count and b'"has_more":' in data:
            self._left.count -= 1
            return re.sub(rb'"position":\d(?=,"has_more"|}$)', b'"position":0', data)
        return data


def _size(data: bytes) -> int:
    """How long the frame is that begins here, as a server writes it: not masked (RFC 6455, 5.2). More than there is
    while its head is not whole."""
    extended = {126: 2, 127: 8}.get(data[1], 0) if len(data) > 1 else 0
    if len(data) < 2 + extended:
        return len(data) + 1
    return 2 + extended + (int.from_bytes(data[2 : 2 + extended], "big") if extended else data[1])
