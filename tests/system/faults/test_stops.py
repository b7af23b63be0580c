"""A process that stops or is killed loses no acknowledged message and stores none twice."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from tests.support.client import PATIENCE, Node, Socket, eventually
from tests.support.ledger import Ledger, log_state
from tests.support.processes import STOP_SECONDS, Api, Processes
from tests.system.faults.conftest import Nodes

pytestmark = [pytest.mark.fault, pytest.mark.timeout(120)]
WRITERS = 12
RESTARTING = 1012
GONE = (0, None)


async def ready_says(node: Node) -> tuple[int, str | None]:
    try:
        answer = await node.request("GET", "/readyz")
    except httpx.HTTPError:
        return GONE
    return answer.status, answer.body["reason"]


async def test_a_process_that_is_stopped_loses_nothing(started: Processes, nodes: Nodes, database_url: str) -> None:
    leaving = started.api("--grace=3")
    ada, linus = [await nodes.two.register(name) for name in ("Ada", "Linus")]
    engines = await ada.converse(linus)
    ledger, stop, node = Ledger(), asyncio.Event(), Node(leaving.url)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(node.close)
        there = await stack.enter_async_context(linus.listening())
        leavers = [await stack.enter_async_context(one.at(node).listening()) for one in (ada, linus) for _ in range(4)]
        for words in (half_a_request(), handshake(ada.access)):
            await stack.enter_async_context(stuck(leaving, words))
        slow = await stack.enter_async_context(stuck(leaving, half_a_message(ada.access, engines)))
        writers = [asyncio.create_task(ledger.keep_sending(ada.at(node), engines, stop)) for _ in range(WRITERS)]
        writers += [asyncio.create_task(send_on(socket, engines, ledger)) for socket in leavers[:2]]
        await ledger.sent(200)
        assert await ready_says(node) == (200, None)

        finished = b""
        began, said, before = time.monotonic(), set(), len(ledger.acknowledged)
        leaving.signal(signal.SIGTERM)
        while leaving.is_running and time.monotonic() < began + STOP_SECONDS:
            said.add(answer := await ready_says(node))
            if answer == GONE and not stop.is_set():
                stop.set()
                finished = await slow.finish(b'_type":"text","text":"the last word"}')
            await asyncio.sleep(0.05)
        assert not leaving.is_running, "it did not stop in time"
        assert leaving.process.returncode == 0
        assert (503, "draining") in said
        assert finished.startswith(b"HTTP/1.1 201"), "what was under way was not finished"
        assert [await socket.closed() for socket in leavers] == [RESTARTING] * len(leavers)
        stop.set()
        await asyncio.gather(*writers)
        assert len(ledger.acknowledged) > before, "it was not under load when it stopped"
        await ledger.settle(ada)
        await whole(there, engines, database_url)
    history = await ada.history(engines)
    assert ledger.problems(history) == []
    assert [message["client_id"] for message in history if message["text"] == "the last word"] == [None]
    assert set(ledger.refused.values()) <= {503}


async def test_a_killed_process_loses_nothing_acknowledged(started: Processes, nodes: Nodes, database_url: str) -> None:
    ada, linus = [await nodes.two.register(name) for name in ("Ada", "Linus")]
    engines = await ada.converse(linus)
    ledger, lost = Ledger(), False
    async with linus.listening() as there:
        for victim in started.apis({}, {}, {}):
            stop, node = asyncio.Event(), Node(victim.url)
            writers = [asyncio.create_task(ledger.keep_sending(ada.at(node), engines, stop)) for _ in range(WRITERS)]
            await ledger.sent(100)
            # Answers come a batch at a time: at this moment every writer may have its own, and none is under way.
            await asyncio.sleep(0.01)
            victim.kill()
            stop.set()
            await asyncio.gather(*writers)
            await node.close()
            await whole(there, engines, database_url)
            lost = lost or bool(ledger.unknown)
            await ledger.settle(ada)
        assert lost, "none was under load when it was killed"
        await whole(there, engines, database_url)
    assert ledger.refused == {}
    assert ledger.problems(await ada.history(engines)) == []


def half_a_request() -> bytes:
    return b"POST /api/v1/login/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99\r\n\r\n{"


def handshake(access: str) -> bytes:
    fields = ("Host: 127.0.0.1", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13")
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
    lines = ("GET /ws/conversations HTTP/1.1", *fields, key, f"Authorization: Bearer {access}", "", "")
    return "\r\n".join(lines).encode()


def half_a_message(access: str, conversation: str) -> bytes:
    path = f"/api/v1/conversations/{conversation}/messages/"
    fields = ("Host: 127.0.0.1", "Content-Type: application/json", f"Authorization: Bearer {access}")
    lines = (f"POST {path} HTTP/1.1", *fields, "Content-Length: 46", "", '{"message')
    return "\r\n".join(lines).encode()


class Stuck:
    """A connection whose client has not said all yet."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def finish(self, words: bytes) -> bytes:
        """Says the rest; the first line of the answer."""
        self._writer.write(words)
        async with asyncio.timeout(PATIENCE):
            return await self._reader.readline()


@asynccontextmanager
async def stuck(api: Api, words: bytes) -> AsyncIterator[Stuck]:
    """A client that sends these bytes, and then neither sends nor reads nor leaves until the test makes it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(words)
    await writer.drain()
    try:
        yield Stuck(reader, writer)
    finally:
        writer.transport.abort()


async def send_on(socket: Socket, conversation: str, ledger: Ledger) -> None:
    """Sends over a socket, one after the other, until it is closed."""
    sent = 0
    while socket.code is None:
        client_id = f"{id(socket)}-{sent}"
        sent += 1
        ledger.conversations[client_id], ledger.unknown[client_id] = conversation, "sent"
        try:
            await socket.say(
                "send",
                ref=client_id,
                conversation=conversation,
                message_type="text",
                text=client_id,
                client_id=client_id,
            )
            answer = await socket.expect("ack", "error", ref=client_id)
        except (AssertionError, OSError, EOFError, ConnectionClosed):
            return
        if answer["type"] == "ack":
            ledger.acknowledged[client_id] = answer["data"]
            del ledger.unknown[client_id]


async def whole(socket: Socket, conversation: str, database_url: str) -> None:
    """Until the socket has all that the log has, each once and in order."""
    state = await asyncio.to_thread(log_state, database_url, conversation)
    assert state.is_whole

    def received() -> list[int]:
        return [frame["data"]["seq"] for frame in socket.received("message.created", conversation=conversation)]

    await eventually(lambda: len(received()) >= state.last_seq)
    assert received()[: state.last_seq] == list(range(1, state.last_seq + 1))
