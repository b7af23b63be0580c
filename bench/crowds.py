"""Many sockets at once, on picows and uvloop: opened with bounded concurrency, each ready after its `hello`.

A row supplies the callback for frames, which must do almost nothing: up to 150,000 frames a second pass through this
one core. Message frames are recognized by their size, the only check that is cheap enough.
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
"""Frames with a message of the bench are larger; all other frames after `hello` are smaller."""

ACK = slice(9, 12)

Heard = Callable[[WSFrame], None]


class Ear(WSListener):
    """One socket. `hello` completes when that frame arrives; then `heard` receives each frame with a message."""

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
        """Disconnects without a close handshake: nothing waits for it."""
        self._lost = _expected
        if self.transport is not None:
            self.transport.disconnect(False)

    def _end(self, why: str) -> None:
        self._lost(why)
        if not self.hello.done():
            self.hello.set_exception(Failed(f"A socket was {why} before hello."))


class Crowd:
    """Sockets on one server. `lost` is the reason why the first lost socket ended."""

    def __init__(self, port: int) -> None:
        self.ears: list[Ear] = []
        self.lost: str | None = None
        self._url = f"ws://127.0.0.1:{port}{PATH}"

    async def open(self, tokens: Sequence[str], heard: Heard) -> list[Ear]:
        """Opens one socket for each token and returns them after all have received `hello`.

        Raises:
            Failed: a socket ended before `hello`.
        """
        room = asyncio.Semaphore(AT_ONCE)

        async def enter(token: str) -> Ear:
            async with room:
                return await self.enter(token, heard)

        opened = await asyncio.gather(*(enter(token) for token in tokens))
        self.ears += opened
        return list(opened)

    async def enter(self, token: str, heard: Heard) -> Ear:
        """Opens one socket and returns it after `hello`. The caller closes it."""
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
        """Raises Failed if a socket has ended: its deliveries would be missing."""
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
    """Yields a runner for a row's sockets, which stay open between rounds; the loop does not run in between."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        yield runner


def _expected(_why: str) -> None:
    """Ignores the end of a socket that the bench closed itself."""


def unheard(_frame: WSFrame) -> None:
    """Ignores frames, for sockets that measure nothing."""


def is_ack(frame: WSFrame) -> bool:
    """Whether the frame is an `ack`, by the position of that word in it."""
    return frame.get_payload_as_memoryview()[ACK].tobytes() == b"ack"
