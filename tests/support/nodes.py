"""Nodes: small API processes with live delivery only, each with its own hub and bus, on a real Postgres and Valkey."""

from __future__ import annotations

import asyncio
import socket as sockets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Concatenate, ParamSpec, TypeVar, cast
from uuid import UUID

import msgspec
import pytest
import uvicorn
from litestar import Litestar
from litestar.types import ASGIApp
from sqlalchemy.ext.asyncio import AsyncSession
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from app.db import Database, open_engine
from app.domain import metadata
from app.domain.auth.tokens import Tokens
from app.domain.events import Outgoing
from app.domain.messages.schemas import Message
from app.domain.rates import Rate
from app.domain.users.caller import Caller
from app.realtime.assembly import LiveDelivery
from app.realtime.bus.bus import Bus
from app.realtime.connection.connection import Connection
from app.realtime.frames.client_frames import MAX_FRAME_BYTES
from app.realtime.hub.hub_queries import CONNECTIONS
from app.redis.client import RedisClient
from app.server.http_protocol import RequestProtocol
from app.server.web_server import Config
from app.server.websocket_protocol import SocketProtocol
from app.store.message_writer import MessageWriter
from app.store.page_cache import PageCache
from app.telemetry.request_log import RequestLog
from app.throttling.limiter import RateLimiter
from tests.support.drafts import draft

__all__ = ["Listener", "Node", "metadata"]

P = ParamSpec("P")
T = TypeVar("T")

ORIGIN = "http://chat.example.org"
SECRET = "for-tests-only-" + "0123456789abcdef" * 2
PATIENCE = 8.0
UNLIMITED = {name: Rate(1_000_000, 60) for name in ("messages", "user", "requests", "address")}
Json = dict[str, Any]


class Quiet(uvicorn.Server):
    """Leaves the signals of the test run alone."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def eventually(condition: Callable[[], Any], patience: float = PATIENCE) -> Any:
    """Wait until `condition()` is true, and give back what it said."""
    deadline = time.monotonic() + patience
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come true in time"
        await asyncio.sleep(0.01)
    return found


class Listener:
    """A client with every frame it received, in order; `next()` returns those it has not looked at yet."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.frames: list[Json] = []
        self.code: int | None = None
        self._at = 0
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        try:
            async for data in self.socket:
                assert isinstance(data, str), "frames are text"
                self.frames.append(msgspec.json.decode(data))
        except ConnectionClosed:
            pass
        finally:
            self.code = self.socket.close_code

    async def say(self, kind: str, **fields: object) -> None:
        await self.socket.send(msgspec.json.encode({"type": kind, **fields}).decode())

    async def next(self, *types: str, patience: float = PATIENCE, **fields: object) -> Json:
        """The next frame of these types with these fields; what stands before it is passed over."""

        def found() -> Json | None:
            while self._at < len(self.frames):
                frame = self.frames[self._at]
                self._at += 1
                if (not types or frame["type"] in types) and fields.items() <= frame.items():
                    return frame
            assert self.code is None, f"closed with {self.code}"
            return None

        frame: Json = await eventually(found, patience)
        return frame

    async def closed(self) -> int:
        """The close code, once it is closed."""
        await eventually(lambda: self.code)
        assert self.code is not None
        return self.code

    def received(self, *types: str) -> list[Json]:
        return [frame for frame in self.frames if frame["type"] in types]

    async def quiet(self, *types: str) -> None:
        """Asserts that no frame of these types arrives before the pong, which follows every frame sent before it."""
        before = len(self.received(*types))
        await self.say("ping", ref="quiet")
        await self.next("pong", ref="quiet")
        assert len(self.received(*types)) == before

    async def close(self) -> None:
        await self.socket.close()
        await self._reading


class Node:
    """One process. `do` runs a verb in a transaction of this node.

    `hand_over` may be replaced: by `mute` (Redis loses it), by `killed` (the process dies between COMMIT and publish).
    """

    def __init__(self, database_url: str, redis_url: str) -> None:
        self.redis_client = RedisClient(redis_url)
        self.bus = Bus(self.redis_client, redis_url, PageCache())
        self.hand_over: Callable[[list[Outgoing]], Awaitable[None]] = self.bus.publish
        url = database_url.replace("postgresql:", "postgresql+psycopg:", 1)
        self.database = Database(open_engine(url, pool_size=5), self._hand_over)
        self.throttles = RateLimiter(self.redis_client, UNLIMITED)
        self.writer = MessageWriter(self.database, self.throttles)
        self.tokens = Tokens(SECRET)
        self.readers = Database(open_engine(url, pool_size=CONNECTIONS))
        self.live = LiveDelivery(
            self.bus, self.database, self.writer, self.tokens, self.throttles, origins=[ORIGIN], readers=self.readers
        )
        self.port = 0
        self.server: Any = SocketProtocol
        self._listeners: list[Listener] = []

    async def mute(self, events: list[Outgoing]) -> None:
        self.live.receive(events)

    async def killed(self, events: list[Outgoing]) -> None:
        """Delivers no event, as a process that is killed after COMMIT."""

    async def _hand_over(self, events: list[Outgoing]) -> None:
        await self.hand_over(events)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Node]:
        app = Litestar([self.live.route()], plugins=[self.bus.plugin], openapi_config=None, logging_config=None)
        app.asgi_handler = cast("ASGIApp", RequestLog(cast("Any", app.asgi_handler)))
        listening = sockets.create_server(("127.0.0.1", 0))
        self.port = listening.getsockname()[1]
        config = Config(
            app,
            http=RequestProtocol,
            ws=self.server,
            ws_per_message_deflate=False,
            ws_max_size=MAX_FRAME_BYTES,
            log_level="error",
        )
        server = Quiet(config)
        serving = asyncio.create_task(server.serve([listening]))
        await eventually(lambda: server.started)
        await self.live.start()
        await eventually(lambda: self.live.hub.trusted)
        try:
            yield self
        finally:
            await self.forget()
            await self.live.drain()
            server.should_exit = True
            await serving
            listening.close()
            await self.live.stop()
            await self.redis_client.close()
            await self.readers.close()
            await self.database.close()

    async def forget(self) -> None:
        """Close what a test has opened, and undo its faults."""
        for listener in self._listeners:
            await listener.close()
        self._listeners.clear()
        self.hand_over = self.bus.publish
        self.throttles.rates.update(UNLIMITED)

    def access(self, caller: Caller, *, seconds: float = 900) -> str:
        begin = datetime.now(UTC) - timedelta(seconds=900 - seconds)
        end = datetime.now(UTC) + timedelta(days=1)
        return self.tokens.pair(
            user=caller.user, session=caller.session, generation=1, rotated_at=begin, expires_at=end
        ).access

    async def open_idle(self, caller: Caller) -> ClientConnection:
        """A socket whose client reads nothing until the test makes it read, and whose kernel buffers are small."""
        client = sockets.socket()
        client.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4_096)
        client.setblocking(False)
        await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", self.port))
        return await connect(
            f"ws://127.0.0.1:{self.port}/ws/conversations",
            sock=client,
            additional_headers={"Authorization": f"Bearer {self.access(caller)}"},
            compression=None,
            max_queue=1,
            ping_interval=None,
        )

    async def open(
        self,
        query: str = "",
        headers: Json | None = None,
        protocols: list[str] | None = None,
        path: str = "/ws/conversations",
    ) -> Listener:
        """A socket as a stranger opens it."""
        socket = await connect(
            f"ws://127.0.0.1:{self.port}{path}{query}",
            additional_headers=headers,
            subprotocols=[Subprotocol(one) for one in protocols] if protocols else None,
            compression=None,
            max_size=None,
        )
        listener = Listener(socket)
        self._listeners.append(listener)
        return listener

    async def join(self, caller: Caller) -> Listener:
        """A socket of `caller` that has been greeted."""
        listener = await self.open(headers={"Authorization": f"Bearer {self.access(caller)}"})
        await listener.next("hello")
        await eventually(lambda: all(one.settled for one in self.sockets(caller)))
        return listener

    def sockets(self, caller: Caller) -> list[Connection]:
        return list(self.live.hub.registry.sockets_by_user.get(caller.user, ()))

    async def do(
        self, verb: Callable[Concatenate[AsyncSession, P], Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        async with self.database.transaction() as session:
            return await verb(session, *args, **kwargs)

    async def send(self, conversation: UUID, by: Caller, text: str = "hello") -> Message:
        sent = await self.writer.send(draft(conversation, by, "text", text))
        return msgspec.json.decode(sent.message, type=Message)


@pytest.fixture(scope="module")
async def running_nodes(database_url: str, redis_url: str) -> AsyncIterator[tuple[Node, Node]]:
    async with AsyncExitStack() as stack:
        both = (Node(database_url, redis_url), Node(database_url, redis_url))
        for node in both:
            await stack.enter_async_context(node.running())
        await eventually(lambda: all(node.bus.connected for node in both))
        yield both


@pytest.fixture
async def nodes(running_nodes: tuple[Node, Node]) -> AsyncIterator[tuple[Node, Node]]:
    """Two processes on one database and one Redis, hearing each other; a module's tests share them."""
    yield running_nodes
    for node in running_nodes:
        await node.forget()


@pytest.fixture
def node(nodes: tuple[Node, Node]) -> Node:
    """One process."""
    return nodes[0]


@pytest.fixture
async def fresh_node(database_url: str, redis_url: str) -> AsyncIterator[Node]:
    """One process for one test alone."""
    async with Node(database_url, redis_url).running() as running:
        yield running
