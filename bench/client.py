"""The fallback load generator for machines without wrk: one raw request in flight per connection, on uvloop.

`python -m bench.client FILE PORT FIRST CLIENTS SECONDS [PAUSE]` plays a feed like feed.lua and prints the same line.
It is written in Python, so with a fast server it distorts the figures; the bench's output says so.
"""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import cast

import msgspec
import uvloop

from bench.load import BETWEEN, DIGITS, NUMBER, LoadResult

HEADERS_END = b"\r\n\r\n"
LENGTH = b"content-length: "
FIRST_SECONDS = 10
"""Maximum time that a round waits for its first response after its end."""


class Feeder:
    """The state shared by all connections: the next request, and the results."""

    def __init__(self, file: Path, first: int, pause: float) -> None:
        self._requests = [one.partition(NUMBER) for one in file.read_bytes().split(BETWEEN)]
        self._at = 0
        self._number = first
        self.pause = pause
        self.times: list[float] = []
        self.refused = 0
        self.broken = 0
        self.over = False
        self.answered = asyncio.Event()

    def next(self) -> bytes:
        head, mark, tail = self._requests[self._at]
        self._at = (self._at + 1) % len(self._requests)
        if not mark:
            return head
        self._number += 1
        return head + str(self._number).zfill(DIGITS).encode() + tail


class Client(asyncio.Protocol):
    """One connection. Every response with a body must have a Content-Length."""

    def __init__(self, feeder: Feeder) -> None:
        self._feeder = feeder
        self._buffer = b""
        self._sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own class
        self._next()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head = self._buffer.find(HEADERS_END)
        if head < 0:
            return
        headers = self._buffer[:head].lower()
        at = headers.find(LENGTH)
        length = int(headers[at + len(LENGTH) :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(self._buffer) < head + len(HEADERS_END) + length:
            return
        self._feeder.times.append(time.perf_counter() - self._sent)
        self._feeder.answered.set()
        self._feeder.refused += self._buffer[9:10] >= b"4"
        self._buffer = b""
        if self._feeder.pause:
            asyncio.get_running_loop().call_later(self._feeder.pause, self._next)
        else:
            self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        self._feeder.broken += not self._feeder.over

    def _next(self) -> None:
        if not self._feeder.over:
            self._sent = time.perf_counter()
            self._transport.write(self._feeder.next())


async def play(feeder: Feeder, port: int, clients: int, seconds: float) -> LoadResult:
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    opened = [await loop.create_connection(lambda: Client(feeder), "127.0.0.1", port) for _ in range(clients)]
    await asyncio.sleep(seconds)
    # Extend a short round on a busy machine until there is a figure: a new server opens its own connections before
    # its first response.
    with suppress(TimeoutError):
        await asyncio.wait_for(feeder.answered.wait(), FIRST_SECONDS)
    feeder.over = True
    took = time.perf_counter() - began
    for transport, _ in opened:
        transport.abort()
    times = sorted(feeder.times) or [0.0]
    return LoadResult(
        requests=len(feeder.times),
        seconds=took,
        p50=times[len(times) // 2] * 1_000,
        p99=times[len(times) * 99 // 100] * 1_000,
        refused=feeder.refused,
        broken=feeder.broken,
    )


def main(file: str, port: str, first: str, clients: str, seconds: str, pause: str = "0") -> None:
    feeder = Feeder(Path(file), int(first), float(pause) / 1_000)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        result = runner.run(play(feeder, int(port), int(clients), float(seconds)))
    print(msgspec.json.encode(result).decode())


if __name__ == "__main__":
    main(*sys.argv[1:])
