"""What an idle socket keeps in the memory of the process that serves it, counted in bytes allocated by Python."""

from __future__ import annotations

import asyncio
import base64
import gc
import socket as sockets
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager

import pytest
from litestar import Litestar

from app.domain.users.caller import Caller
from app.realtime.frames.client_frames import MAX_FRAME_BYTES
from app.server.http_protocol import RequestProtocol
from app.server.web_server import Config
from app.server.websocket_protocol import SocketProtocol
from app.settings import Settings
from tests.support.nodes import Quiet, eventually
from tests.system.costs.conftest import Chat, chatting

CONVERSATIONS = 20
WARM = 10
SOCKETS = 40
TIMES = 3
MOST_BYTES = 34 * 1024
"""28.5 to 29.6 thousand bytes on Python 3.11, and some for its other versions: one thing more for each would show."""

REQUEST = (
    "GET /ws/conversations HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\nAuthorization: Bearer {access}\r\n\r\n"
)


@asynccontextmanager
async def listening(app: Litestar) -> AsyncIterator[int]:
    """Serve `app`, whose life is led elsewhere, as the product does; the port."""
    with sockets.create_server(("127.0.0.1", 0)) as listener:
        config = Config(
            app,
            http=RequestProtocol,
            ws=SocketProtocol,
            ws_per_message_deflate=False,
            ws_max_size=MAX_FRAME_BYTES,
            lifespan="off",
            access_log=False,
            log_config=None,
        )
        server = Quiet(config)
        serving = asyncio.create_task(server.serve([listener]))
        await eventually(lambda: server.started)
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            await serving


@pytest.fixture
async def people(settings: Settings) -> AsyncIterator[tuple[Chat, int, list[Caller]]]:
    """Couples: each two share their conversations, which have no other members."""
    async with chatting(settings) as chat, listening(chat.app) as port:
        couples = [await couple(chat) for _ in range((WARM + TIMES * SOCKETS) // 2)]
        yield chat, port, [one for both in couples for one in both]


async def couple(chat: Chat) -> tuple[Caller, Caller]:
    both = await chat.person("Ada"), await chat.person("Grace")
    for _ in range(CONVERSATIONS):
        await chat.group(*both)
    return both


async def open_idle(chat: Chat, port: int, people: list[Caller], clients: ExitStack) -> None:
    """A client is a bare socket of the kernel that sends one request and reads nothing."""
    for one in people:
        client = clients.enter_context(sockets.create_connection(("127.0.0.1", port)))
        key = base64.b64encode(one.user.bytes).decode()
        client.sendall(REQUEST.format(key=key, access=chat.access(one)).encode())
    registry = chat.runtime.live_delivery.hub.registry
    await eventually(
        lambda: all(any(socket.settled for socket in registry.sockets_by_user.get(one.user, ())) for one in people), 60
    )


async def test_an_idle_socket_with_twenty_conversations_takes_about_thirty_kilobytes(
    people: tuple[Chat, int, list[Caller]],
) -> None:
    """All that Python allocated in this process and still holds once the sockets are greeted, divided by them.

    The least of several runs: other work of the process only adds to it. The clients
    are in it, with a file object each. What C libraries and the kernel take by themselves is not.
    """
    chat, port, everybody = people
    kept: list[float] = []
    with ExitStack() as clients:
        await open_idle(chat, port, everybody[:WARM], clients)
        tracemalloc.start()
        clients.callback(tracemalloc.stop)
        for first in range(WARM, len(everybody), SOCKETS):
            before = held()
            await open_idle(chat, port, everybody[first : first + SOCKETS], clients)
            kept.append((held() - before) / SOCKETS)
        rooms = sum(
            len(socket.rooms)
            for one in everybody
            for socket in chat.runtime.live_delivery.hub.registry.sockets_by_user[one.user]
        )
        assert rooms == CONVERSATIONS * len(everybody)
    assert min(kept) <= MOST_BYTES, kept


def held() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]
