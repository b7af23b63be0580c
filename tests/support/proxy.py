"""A TCP proxy on loopback that injects faults, in its own thread.

It passes, refuses, or swallows: a connection that was swallowed once stays silent for ever, as behind a firewall that
forgot it. A `BrokerTransport` (see `wires`) reads what passes, and may change it or end the connection.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Final, Literal, Protocol
from urllib.parse import urlsplit

Mode = Literal["pass", "refuse", "swallow"]
CONNECT_SECONDS: Final = 5
CHUNK: Final = 64 * 1024


class Cut(Exception):
    """This connection ends here."""


class Wire(Protocol):
    """One connection's bytes on their way; what is returned goes on. Raises Cut."""

    def up(self, data: bytes) -> bytes: ...

    def down(self, data: bytes) -> bytes: ...


class Plain:
    def up(self, data: bytes) -> bytes:
        return data

    def down(self, data: bytes) -> bytes:
        return data


class Proxy:
    """In front of the server of `url`; `through` is the same URL through here."""

    def __init__(self, url: str, wire: Callable[[], Wire] = Plain) -> None:
        self._target = urlsplit(url)
        self._wire = wire
        self._mode: Mode = "pass"
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)
        self._listening = threading.Event()
        self.port = 0
        self.swallowed = 0

    @property
    def through(self) -> str:
        credentials, at, _ = self._target.netloc.rpartition("@")
        return self._target._replace(netloc=f"{credentials}{at}127.0.0.1:{self.port}").geturl()

    def start(self) -> None:
        self._thread.start()
        assert self._listening.wait(CONNECT_SECONDS), "the proxy does not listen"

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CONNECT_SECONDS)

    def resume(self) -> None:
        """What comes from now on passes."""
        self._mode = "pass"

    def refuse(self) -> None:
        """Everything open is cut, everything new turned away."""
        self._mode = "refuse"
        self._loop.call_soon_threadsafe(self._cut_all)

    def swallow(self) -> None:
        """Connections stand, new ones are taken, and nothing is ever said."""
        self._mode = "swallow"

    def vanish(self) -> None:
        """As a host that lost its power: everything open is cut, and to what comes nothing is ever said."""
        self._mode = "swallow"
        self._loop.call_soon_threadsafe(self._cut_all)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self._listening.set()
        self._loop.run_forever()
        server.close()
        self._cut_all()
        for task in self._tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*self._tasks, return_exceptions=True))
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    def _cut_all(self) -> None:
        for writer in list(self._open):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        writers = [writer]
        self._open.add(writer)
        try:
            if self._mode == "refuse":
                return
            async with asyncio.timeout(CONNECT_SECONDS):
                theirs, to_server = await asyncio.open_connection(self._target.hostname, self._target.port)
            writers.append(to_server)
            self._open.add(to_server)
            wire = self._wire()
            silent = [False]
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(reader, to_server, wire.up, silent))
                group.create_task(self._pump(theirs, writer, wire.down, silent))
        except* (OSError, TimeoutError, Cut):
            pass
        finally:
            for one in writers:
                one.transport.abort()
                self._open.discard(one)

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        passing: Callable[[bytes], bytes],
        silent: list[bool],
    ) -> None:
        while data := await reader.read(CHUNK):
            if self._mode == "swallow" or silent[0]:
                silent[0] = True
                self.swallowed += 1
                continue
            if goes_on := passing(data):
                writer.write(goes_on)
                await writer.drain()
        raise Cut
