"""A small application behind the product's own HTTP protocol, and clients that write whatever bytes they like."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from app.server.http_protocol import RequestProtocol
from app.server.web_server import Config
from tests.support.nodes import Quiet, eventually, node, nodes, running_nodes

__all__ = ["node", "nodes", "running_nodes"]

LARGE = 8 * 1024 * 1024


class Echo:
    """`/large` is 8 MB, `/slow` waits for `gate`, `/unread` reads no body; the rest count theirs."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.requested: list[str] = []
        self.disconnected = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.requested.append(scope["path"])
        body = b""
        if scope["path"] == "/slow":
            await self.gate.wait()
        if scope["path"] != "/unread":
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    self.disconnected += 1
                    return
                body += message["body"]
                if not message["more_body"]:
                    break
        names = [name for name, _ in scope["headers"]]
        answer = b"." * LARGE if scope["path"] == "/large" else b"%d %d" % (len(body), len(names))
        headers = [(b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})


class Peer:
    """A client of bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def say(self, data: bytes) -> None:
        """Raises nothing if the server has closed the connection: the response shows it."""
        try:
            self.writer.write(data)
            await self.writer.drain()
        except ConnectionError:
            pass

    async def rest(self) -> bytes:
        """Everything until the server ends the connection."""
        async with asyncio.timeout(20):
            found = b""
            try:
                while some := await self.reader.read(65_536):
                    found += some
            except ConnectionError:
                pass
            return found

    async def answer(self) -> tuple[int, bytes]:
        """(status, body) of one answer."""
        async with asyncio.timeout(20):
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            return int(head.split(b" ", 2)[1]), await self.reader.readexactly(int(length.split(b":")[1]))


class Server:
    def __init__(self, app: Echo, server: Quiet, port: int, config: Config) -> None:
        self.app, self.server, self.port, self.config = app, server, port, config

    @asynccontextmanager
    async def peer(self, *, receive_buffer: int | None = None) -> AsyncIterator[Peer]:
        one = socket.socket()
        if receive_buffer is not None:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        one.setblocking(False)
        await asyncio.get_running_loop().sock_connect(one, ("127.0.0.1", self.port))
        reader, writer = await asyncio.open_connection(sock=one, limit=2**16)
        try:
            yield Peer(reader, writer)
        finally:
            writer.transport.abort()

    async def refusal(self, data: bytes) -> tuple[int, str]:
        """(status, code) of the last answer to `data`, behind which the connection is over."""
        async with self.peer() as peer:
            await peer.say(data)
            return refused(await peer.rest())

    @property
    def connections(self) -> int:
        return len(self.config.peers)


def refused(answers: bytes) -> tuple[int, str]:
    """(status, code) of the last of `answers`, which is a problem and says that the connection ends."""
    head, _, body = answers[answers.rindex(b"HTTP/1.1 ") :].partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    assert b"content-type: application/problem+json" in lines
    assert b"connection: close" in lines
    assert b"content-length: %d" % len(body) in lines
    assert b"x-content-type-options: nosniff" in lines
    problem = json.loads(body)
    assert problem["status"] == int(head.split(b" ", 2)[1])
    return problem["status"], problem["code"]


@asynccontextmanager
async def listening(**options: Any) -> AsyncIterator[Server]:
    app = Echo()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = Config(
            app, http=RequestProtocol, lifespan="off", access_log=False, log_config=None, loop="uvloop", **options
        )
        server = Quiet(config)
        serving = asyncio.create_task(server.serve([listener]))
        await eventually(lambda: server.started)
        try:
            yield Server(app, server, listener.getsockname()[1], config)
        finally:
            app.gate.set()
            server.should_exit = True
            await serving


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with listening() as server:
        yield server
