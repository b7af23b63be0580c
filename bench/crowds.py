"""Many sockets at once, on picows and uvloop: opened in bounded numbers, each past its `hello`.

What a listener does with a frame is the row's affair and must be next to nothing: up to 150,000 frames a second pass
through this one core. Messages are told from other frames by their size, which is all that is cheap enough.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from bench.processes import Failed

PATH = "/ws/conversations"
AT_ONCE = 32
OPEN_SECONDS = 30
MESSAGE_BYTES = 300
"""A frame with a message of ours is larger, and every other after `hello` smaller."""

ACK = slice(9, 12)

Heard = Callable[[WSFrame], None]


class Ear(WSListener):
    """One socket. `hello` is done once it has come; then `heard` gets each frame with a message."""

    def __init__(self, heard: Heard, lost: Callable[[str], None]) -> None:
        self.hello: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.transport: WSTransport | None = None
        self._heard = heard
        self._lost = lost
        self._greeted = False

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if self._greeted:
            if frame.payload_size > MESSAGE_BYTES:
                self._heard(frame)
        elif frame.msg_type == WSMsgType.TEXT:
            self._greeted = True
            if not self.hello.done():
                self.hello.set_result(None)
        if frame.msg_type == WSMsgType.CLOSE:
            self._end(f"closed with {frame.get_close_code()}")
            transport.disconnect()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._end("disconnected")

    def say(self, frame: bytes) -> None:
        assert self.transport is not None
        self.transport.send(WSMsgType.TEXT, frame)

    def leave(self) -> None:
        """Without the farewell: nothing waits for it."""
        self._lost = _expected
        if self.transport is not None:
            self.transport.disconnect(False)

    def _end(self, why: str) -> None:
        self._lost(why)
        if not self.hello.done():
            self.hello.set_exception(Failed(f"A socket was {why} before hello."))


class Crowd:
    """Sockets on one server. `lost` is the first reason for which one ended."""

    def __init__(self, port: int) -> None:
        self.ears: list[Ear] = []
        self.lost: str | None = None
        self._url = f"ws://127.0.0.1:{port}{PATH}"

    async def open(self, tokens: Sequence[str], heard: Heard) -> list[Ear]:
        """One socket for each token, all past their hello.

        Raises:
            Failed: one was not admitted.
        """
        room = asyncio.Semaphore(AT_ONCE)

        async def enter(token: str) -> Ear:
            async with room:
                return await self.enter(token, heard)

        opened = await asyncio.gather(*(enter(token) for token in tokens))
        self.ears += opened
        return list(opened)

    async def enter(self, token: str, heard: Heard) -> Ear:
        """One socket, past its hello; the caller's to close."""
        async with asyncio.timeout(OPEN_SECONDS):
            _, ear = await ws_connect(
                lambda: Ear(heard, self._lose),
                self._url,
                extra_headers={"Authorization": f"Bearer {token}"},
                websocket_handshake_timeout=OPEN_SECONDS,
                read_buffer_init_size=4 * 1024,
            )
            assert isinstance(ear, Ear)
            await ear.hello
        return ear

    def require(self) -> None:
        """Raises Failed when a socket ended meanwhile: its deliveries would be missing."""
        if self.lost is not None:
            raise Failed(f"A socket was {self.lost}.")

    async def leave(self) -> None:
        for ear in self.ears:
            ear.leave()
        self.ears.clear()
        await asyncio.sleep(0.2)

    def _lose(self, why: str) -> None:
        self.lost = self.lost or why


@contextmanager
def loop() -> Iterator[asyncio.Runner]:
    """A loop for a row's sockets, which stay open between its rounds (nothing runs in between)."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        yield runner


def _expected(_why: str) -> None:
    """For sockets that we end ourselves."""


def unheard(_frame: WSFrame) -> None:
    """For sockets that only are there."""


def is_ack(frame: WSFrame) -> bool:
    """By where the word stands in a frame that is one."""
    return frame.get_payload_as_memoryview()[ACK].tobytes() == b"ack"
