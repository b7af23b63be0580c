"""How late messages are at their readers, and a reader that never reads."""

from __future__ import annotations

import asyncio
import select
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final, Self

from picows import WSFrame

from tests.support.client import Person, Socket

PAUSE: Final = 0.05
"""Between two messages: 20 a second."""
PADDING: Final = " " + "x" * 2_000
MARK: Final = b'"text":"at '


class Lags:
    """Milliseconds from the send to the delivery."""

    def __init__(self, milliseconds: list[float]) -> None:
        self._ascending = sorted(milliseconds)

    def at(self, share: float) -> float:
        return self._ascending[min(len(self._ascending) - 1, int(len(self._ascending) * share))]

    def __str__(self) -> str:
        return (
            f"p50 {self.at(0.5):.1f} ms, p99 {self.at(0.99):.1f} ms, at most {self.at(1):.1f} ms"
            f" ({len(self._ascending)} deliveries)"
        )


class Latency:
    """Sends the current time every `pause` seconds; readers compare it with their own clock, which is the same one."""

    def __init__(self, sender: Person, conversation: str, *, pause: float = PAUSE) -> None:
        self._sender = sender
        self._conversation = conversation
        self._pause = pause
        self._lags: list[float] = []

    async def measure(self, reader: Socket, seconds: float) -> Lags:
        """To one reader, each message after the one before has come."""
        lags = []
        for _ in range(round(seconds / PAUSE)):
            text = f"at {time.monotonic():.6f} "
            began = time.monotonic()
            (await self._sender.say(self._conversation, text)).good(201)
            while (await reader.expect("message.created", conversation=self._conversation))["data"]["text"] != text:
                pass
            lags.append((time.monotonic() - began) * 1_000)
            await asyncio.sleep(PAUSE)
        return Lags(lags)

    async def play(self, seconds: float) -> Lags:
        """To all whose frames `heard` is given, at a steady pace."""
        self._lags = []
        due = time.monotonic()
        sends = []
        for _ in range(round(seconds / self._pause)):
            sends.append(asyncio.create_task(self._say()))
            due += self._pause
            await asyncio.sleep(max(0.0, due - time.monotonic()))
        await asyncio.gather(*sends)
        await asyncio.sleep(1)
        return Lags(self._lags)

    async def _say(self) -> None:
        (await self._sender.say(self._conversation, f"at {time.monotonic():.6f}{PADDING}")).good(201)

    def heard(self, frame: WSFrame) -> None:
        data = frame.get_payload_as_bytes()
        place = data.find(MARK)
        if place >= 0:
            words = data[place + len(MARK) : place + len(MARK) + 24]
            self._lags.append((time.monotonic() - float(words.split(b" ", 1)[0])) * 1_000)


@asynccontextmanager
async def pulse() -> AsyncIterator[list[float]]:
    """How many seconds this process slept through, each time it looked: its own slowness is not the chat's."""
    lags = [0.0]

    async def beat() -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(PAUSE)
            lags.append(time.monotonic() - before - PAUSE)

    beating = asyncio.create_task(beat())
    try:
        yield lags
    finally:
        beating.cancel()


class Idler:
    """Opens a socket and never reads from it; when it is ended, opens another. `opened` is how many there were."""

    def __init__(self, port: int, access: str) -> None:
        self.opened = 0
        self._port = port
        self._access = access
        self._connection: socket.socket | None = None
        self._watching: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._watching = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._watching is not None:
            self._watching.cancel()
            with suppress(asyncio.CancelledError):
                await self._watching
        if self._connection is not None:
            self._connection.close()

    async def _watch(self) -> None:
        while True:
            if self._connection is None or self._is_over(self._connection):
                self._open()
            await asyncio.sleep(0.2)

    def _open(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = socket.socket()
        # Little room here, so that what is not read soon waits at the server.
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        self._connection.settimeout(3)
        self._connection.connect(("127.0.0.1", self._port))
        lines = (
            "GET /ws/conversations HTTP/1.1",
            "Host: 127.0.0.1",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            f"Authorization: Bearer {self._access}",
        )
        self._connection.sendall("\r\n".join((*lines, "", "")).encode())
        self.opened += 1

    @staticmethod
    def _is_over(connection: socket.socket) -> bool:
        poll = select.poll()
        poll.register(connection, select.POLLRDHUP | select.POLLERR | select.POLLHUP)
        return bool(poll.poll(0))
