"""A raw WebSocket client: it sends any bytes, and reads only when a test makes it read."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

CONT: Final = 0
TEXT: Final = 1
BINARY: Final = 2
CLOSE: Final = 8
PING: Final = 9
PONG: Final = 10
MASK: Final = b"\1\2\3\4"
HEAD: Final = (
    "GET /ws/conversations HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True) -> bytes:
    """One frame of a client, masked (RFC 6455, section 5.2)."""
    size = len(payload)
    head = bytes([opcode | 0x80 * fin])
    if size < 126:
        head += bytes([0x80 | size])
    elif size < 65_536:
        head += bytes([0x80 | 126]) + struct.pack("!H", size)
    else:
        head += bytes([0x80 | 127]) + struct.pack("!Q", size)
    mask = (MASK * (size // 4 + 1))[:size]
    masked = (int.from_bytes(payload, "big") ^ int.from_bytes(mask, "big")).to_bytes(size, "big")
    return head + MASK + masked


def head(access: str = "", more: str = "") -> bytes:
    """A handshake, with a token or without one."""
    proof = f"Authorization: Bearer {access}\r\n" if access else ""
    return f"{HEAD}{proof}{more}\r\n".encode("latin-1")


class RawSocket:
    """`code` is the close code the server sent, once `read` has met it; `ended` that the connection is over."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.answer = b""
        self.code: int | None = None
        self.ended = False
        self.opcodes: list[int] = []

    async def send(self, data: bytes, seconds: float = 20) -> bool:
        """Whether the server took it all: not when it ended the connection, or stopped reading for so long."""
        try:
            self._writer.write(data)
            async with asyncio.timeout(seconds):
                await self._writer.drain()
        except (OSError, TimeoutError):
            return False
        return True

    async def shake(self, data: bytes) -> str:
        """Send a handshake; the status line of its answer."""
        await self.send(data)
        with suppress(asyncio.IncompleteReadError):
            self.answer = await self._reader.readuntil(b"\r\n\r\n")
        return self.answer.partition(b"\r\n")[0].decode()

    async def read(self, opcode: int | None = None) -> bytes | None:
        """The payload of the next frame of this kind (of any); None at the end of the connection."""
        try:
            while True:
                first, length = await self._reader.readexactly(2)
                if length == 126:
                    (length,) = struct.unpack("!H", await self._reader.readexactly(2))
                elif length == 127:
                    (length,) = struct.unpack("!Q", await self._reader.readexactly(8))
                payload = await self._reader.readexactly(length)
                self.opcodes.append(first & 15)
                if first & 15 == CLOSE:
                    (self.code,) = struct.unpack("!H", payload[:2])
                if opcode in (None, first & 15):
                    return payload
        except (OSError, asyncio.IncompleteReadError):
            self.ended = True
            return None

    async def read_to_the_end(self, seconds: float = 20) -> int | None:
        """The close code; None when the server ended the connection without one."""
        async with asyncio.timeout(seconds):
            while await self.read() is not None:
                continue
        return self.code

    def abort(self) -> None:
        self._writer.transport.abort()


@asynccontextmanager
async def raw_socket(port: int, *, room: int | None = None, address: str = "") -> AsyncIterator[RawSocket]:
    """A connection to this port, from `address` if given. `room`: bytes its kernel takes while nothing reads."""
    own = socket.socket()
    if room is not None:
        own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
    if address:
        own.bind((address, 0))
    own.setblocking(False)
    await asyncio.get_running_loop().sock_connect(own, ("127.0.0.1", port))
    reader, writer = await asyncio.open_connection(sock=own, limit=room or 2**16)
    found = RawSocket(reader, writer)
    try:
        yield found
    finally:
        found.abort()
