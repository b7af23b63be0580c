"""What a hostile client knows, and how it connects, sends and counts."""

from __future__ import annotations

import asyncio
import re
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import msgspec

STATUS: Final = re.compile(rb"HTTP/1\.1 (\d{3})")
CONNECT_SECONDS: Final = 5.0
ANSWER_SECONDS: Final = 15.0
SEND_SECONDS: Final = 1.0
PAUSE: Final = 0.01
"""Before another connection."""


class Ground(msgspec.Struct, frozen=True):
    """Where a hostile client goes and comes from: the port of a process, a network address of its own, the access token
    of an account, a conversation the account is in, with its newest seq, and one that is full of long messages."""

    port: int
    address: str
    access: str
    email: str
    conversation: str
    last_seq: int
    long_conversation: str


Tally = Counter[str]
"""What a client did, and what it was answered, by status."""

Kind = Callable[[Ground, Tally], Coroutine[Any, Any, None]]


@asynccontextmanager
async def connected(
    ground: Ground, tally: Tally, *, room: int | None = None
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection. `room`: bytes its kernel takes while nothing reads. Raises OSError and TimeoutError."""
    own = socket.socket()
    if room is not None:
        own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
    own.bind((ground.address, 0))
    own.setblocking(False)
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            await asyncio.get_running_loop().sock_connect(own, ("127.0.0.1", ground.port))
    except BaseException:
        own.close()
        raise
    tally["connections"] += 1
    reader, writer = await asyncio.open_connection(sock=own, limit=room or 2**16)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def everywhere(connections: int, act: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """`act` over so many connections at once, again and again: each ends when the server ends it."""

    async def again() -> None:
        while True:
            with suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                await act()
            await asyncio.sleep(PAUSE)

    await asyncio.gather(*(again() for _ in range(connections)))


async def pour(
    ground: Ground, tally: Tally, data: bytes, *, then: bytes = b"", every: float = 0.0, room: int | None = None
) -> None:
    """Sends `data`, then `then` again and again (without it, `data`), until the connection ends. Reads and counts what
    is answered, unless the client has `room` for a little only."""
    async with connected(ground, tally, room=room) as (reader, writer):
        reading = None if room else asyncio.create_task(_count(reader, tally))
        if room:
            writer.transport.pause_reading()  # type: ignore[attr-defined]
        try:
            while (reading is None or not reading.done()) and not writer.is_closing():
                writer.write(data)
                async with asyncio.timeout(SEND_SECONDS if reading else ANSWER_SECONDS):
                    await writer.drain()
                tally["bytes"] += len(data)
                data = then or data
                await asyncio.sleep(every)
        except (OSError, TimeoutError):
            if reading is not None:
                # The server has stopped reading: what it answered is still to be read.
                await asyncio.wait({reading}, timeout=ANSWER_SECONDS)
        finally:
            if reading is not None:
                reading.cancel()


async def _count(reader: asyncio.StreamReader, tally: Tally) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            for status in STATUS.findall(data):
                tally[status.decode()] += 1


async def converse(ground: Ground, tally: Tally, requests: Callable[[], bytes]) -> None:
    """One request after the other over one connection, each answered and counted."""
    async with connected(ground, tally) as (reader, writer):
        while True:
            writer.write(requests())
            async with asyncio.timeout(ANSWER_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
                tally[head[9:12].decode()] += 1
                for line in head.lower().split(b"\r\n"):
                    if line.startswith(b"content-length:"):
                        await reader.readexactly(int(line.partition(b":")[2]))


def request(method: str, path: str, body: bytes = b"", *, access: str = "", more: str = "") -> bytes:
    """A request of the API. `more` are lines of its head."""
    lines = f"{method} /api/v1{path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{more}"
    if access:
        lines += f"Authorization: Bearer {access}\r\n"
    if body:
        lines += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return lines.encode("latin-1") + b"\r\n" + body
