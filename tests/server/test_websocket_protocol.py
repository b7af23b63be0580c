"""The cost of a socket is bounded: frames and bytes are counted, and an idle peer is cut in time."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from structlog.testing import capture_logs

from app.realtime import unauthenticated_sockets
from app.realtime.connection.close_codes import NOT_AUTHENTICATED
from app.realtime.connection.frame_limits import FRAMES_PER_SECOND, FrameLimiter, bytes_per_second
from app.realtime.handshake import HandshakeRefused
from app.realtime.unauthenticated_sockets import MAX_PER_ADDRESS, UnauthenticatedSockets
from app.server import websocket_protocol
from tests.support.nodes import Node, eventually
from tests.support.raw_sockets import BINARY, CLOSE, CONT, PING, PONG, TEXT, RawSocket, frame, head, raw_socket
from tests.support.scene import person

FLOOD = 20_000
KINDS = {
    "pings": frame(PING),
    "full pings": frame(PING, b"x" * 125),
    "pongs": frame(PONG, b"mine"),
    "texts": frame(TEXT, b'{"type":"ping"}'),
    "binaries": frame(BINARY),
}


async def admitted(node: Node, socket: RawSocket, name: str = "Ada") -> Any:
    """The connection of the server whose client this is."""
    ada = await person(node.database, name)
    assert "101" in await socket.shake(head(node.access(ada)))
    (connection,) = await eventually(lambda: [one for one in node.sockets(ada) if one.settled])
    return connection


@pytest.mark.parametrize("kind", KINDS)
async def test_a_flood_of_frames_of_any_kind_closes_the_socket(node: Node, kind: str) -> None:
    async with raw_socket(node.port) as flooding:
        await admitted(node, flooding)
        reading = asyncio.create_task(flooding.read_to_the_end())
        await flooding.send(KINDS[kind] * FLOOD)
        assert await reading == 4429
        assert flooding.opcodes.count(PONG) <= 2 * FRAMES_PER_SECOND


async def test_empty_continuation_frames_count_as_frames(node: Node) -> None:
    async with raw_socket(node.port) as flooding:
        await admitted(node, flooding)
        reading = asyncio.create_task(flooding.read_to_the_end())
        await flooding.send(frame(TEXT, b"{", fin=False) + frame(CONT, fin=False) * FLOOD)
        assert await reading == 4429


async def test_a_flood_of_bytes_in_few_frames_closes_the_socket(node: Node) -> None:
    large = frame(TEXT, b" " * 131_000)
    async with raw_socket(node.port) as flooding:
        await admitted(node, flooding)
        reading = asyncio.create_task(flooding.read_to_the_end())
        await flooding.send(large * (2 * bytes_per_second(FRAMES_PER_SECOND) // len(large) + 8))
        assert await reading == 4429


async def test_a_client_within_its_rate_may_ping(node: Node) -> None:
    async with raw_socket(node.port) as polite:
        await admitted(node, polite)
        for number in range(10):
            await polite.send(frame(PING, b"%d" % number))
            assert await polite.read(PONG) == b"%d" % number


async def test_a_client_that_reads_nothing_has_only_its_last_ping_answered(node: Node) -> None:
    async with raw_socket(node.port, room=4_096) as idle:
        connection = await admitted(node, idle)
        transport = connection._transport.transport
        padding = b"\x81\x7e\xff\xff" + b"x" * 65_535
        while connection._transport.can_write:
            transport.write(padding)
        before = transport.get_write_buffer_size()
        pings = FRAMES_PER_SECOND
        await idle.send(b"".join(frame(PING, b"%0125d" % number) for number in range(pings)))
        await eventually(lambda: connection._transport._pending_pong)
        await eventually(lambda: connection._transport._pending_pong.endswith(b"%03d" % (pings - 1)))
        assert transport.get_write_buffer_size() <= before
        assert await idle.read(PONG) == b"%0125d" % (pings - 1)
        assert idle.opcodes.count(PONG) == 1


async def test_a_message_in_one_byte_fragments_is_assembled(node: Node) -> None:
    async with raw_socket(node.port) as slow:
        connection = await admitted(node, slow)
        text = b'{"type":"ping","ref":"\xc3\xa9"}'
        pieces = [frame(TEXT if at == 0 else CONT, text[at : at + 1], fin=False) for at in range(len(text))]
        await slow.send(b"".join([*pieces, frame(CONT)]))
        while (received := await slow.read(TEXT)) is not None and b"pong" not in received:
            continue
        assert received == '{"type":"pong","ref":"é"}'.encode()
        assert connection._transport.frames == []


async def test_a_refused_socket_that_keeps_sending_is_cut(node: Node) -> None:
    async with raw_socket(node.port) as refused:
        assert "101" in await refused.shake(head())
        assert await refused.read(CLOSE)
        assert refused.code == 4401
        await refused.send(frame(PONG) * FLOOD)
        await refused.read_to_the_end(websocket_protocol.REFUSED_SECONDS - 1)
    await eventually(lambda: len(node.live.endpoint._unauthenticated) == 0)


async def test_a_refused_socket_of_a_silent_client_is_aborted(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket_protocol, "REFUSED_SECONDS", 0.3)
    async with raw_socket(node.port) as refused:
        await refused.shake(head())
        await eventually(lambda: len(node.live.endpoint._unauthenticated) == 1)
        assert await refused.read_to_the_end(5) == 4401
    await eventually(lambda: len(node.live.endpoint._unauthenticated) == 0)


async def test_a_handshake_that_waits_too_long_is_aborted(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket_protocol, "ADMISSION_SECONDS", 0.3)
    looked = asyncio.Event()

    async def admit(_: object) -> None:
        await looked.wait()
        raise HandshakeRefused(NOT_AUTHENTICATED)

    monkeypatch.setattr(node.live.endpoint._authenticator, "admit", admit)
    async with raw_socket(node.port) as waiting:
        assert await waiting.shake(head()) == ""
        assert await waiting.read_to_the_end(5) is None
    # It costs a task until the look at it ends; and not longer.
    assert len(node.live.endpoint._unauthenticated) == 1
    looked.set()
    await eventually(lambda: len(node.live.endpoint._unauthenticated) == 0)


async def test_a_closed_socket_that_reads_nothing_is_aborted(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket_protocol, "SHUTDOWN_SECONDS", 0.3)
    async with raw_socket(node.port, room=4_096) as idle:
        connection = await admitted(node, idle)
        wire = connection._transport
        while wire.can_write:
            wire.transport.write(b"\x81\x7e\xff\xff" + b"x" * 65_535)
        await idle.send(frame(CLOSE, b"\x03\xe8"))
        await eventually(lambda: wire.disconnected)


async def test_a_socket_above_the_limit_of_waiting_ones_is_closed_with_4429(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unauthenticated_sockets, "MAX_UNAUTHENTICATED", 2)
    async with raw_socket(node.port) as one, raw_socket(node.port) as other, raw_socket(node.port) as third:
        for socket in (one, other):
            await socket.shake(head())
            assert await socket.read(CLOSE)
        assert "101" in await third.shake(head())
        assert await third.read_to_the_end(2) == 4429
        assert (one.code, other.code) == (4401, 4401)
        await eventually(lambda: len(node.live.endpoint._unauthenticated) == 2)
    await eventually(lambda: len(node.live.endpoint._unauthenticated) == 0)
    ada = await person(node.database, "Ada")
    listeners = [await node.join(ada) for _ in range(3)]
    assert len(listeners) == 3


@pytest.mark.parametrize(
    ("peer", "hops", "bounded"),
    [
        ("203.0.113.5", 0, True),
        ("2001:db8::1", 0, True),
        ("203.0.113.5", 1, False),
        ("127.0.0.1", 0, False),
        ("::1", 0, False),
        ("::ffff:127.0.0.1", 0, False),
        ("::ffff:203.0.113.5", 0, True),
        (None, 0, False),
    ],
)
def test_unauthenticated_sockets_are_limited_per_address_except_local_and_proxied_ones(
    peer: str | None, hops: int, bounded: bool
) -> None:
    here = UnauthenticatedSockets(proxy_hops=hops)
    entered = sum(here.enter(peer) for _ in range(MAX_PER_ADDRESS + 10))
    assert entered == MAX_PER_ADDRESS + (0 if bounded else 10)
    assert here.enter("198.51.100.7")
    here.leave("198.51.100.7")
    for _ in range(entered):
        here.leave(peer)
    assert len(here) == 0
    assert here.enter(peer)


def test_addresses_of_one_ipv6_network_count_together() -> None:
    here = UnauthenticatedSockets()
    assert sum(here.enter(f"2001:db8::{number:x}") for number in range(1, MAX_PER_ADDRESS + 10)) == MAX_PER_ADDRESS


PROTOCOL_ERRORS = {
    "a text that is not UTF-8": (frame(TEXT, b"\xff\xfe"), 1007),
    "pieces that are not UTF-8": (frame(TEXT, b"\xc3", fin=False) + frame(CONT, b"\x28"), 1007),
    "the same and a good-bye": (frame(TEXT, b"\xff\xfe") + frame(CLOSE, b"\x03\xe8"), None),
    "a reason that is not UTF-8": (frame(CLOSE, b"\x03\xe8\xff"), 1007),
    "a close code of one byte": (frame(CLOSE, b"\x03"), 1002),
    "a close code nobody may send": (frame(CLOSE, b"\x03\xee"), 1002),
    "a good-bye inside a message": (frame(TEXT, b"{", fin=False) + frame(CLOSE, b"\x03\xe8"), 1002),
    "a piece of nothing": (frame(CONT, b"x"), 1002),
    "a message inside a message": (frame(TEXT, b"{", fin=False) + frame(TEXT, b"}"), 1002),
    "a reserved bit": (bytes([0xC1, 0x80]) + b"\0\0\0\0", 1002),
    "an opcode there is not": (frame(5), 1002),
    "a frame without a mask": (b"\x81\x02{}", 1002),
    "a control frame in pieces": (frame(PING, fin=False), 1002),
    "a control frame that is too long": (frame(PING, b"x" * 126), 1002),
    "a frame that is too large": (bytes([0x81, 0xFF]) + (2**40).to_bytes(8, "big") + b"\0\0\0\0", 1009),
    "a length nobody has": (bytes([0x81, 0xFF]) + b"\xff" * 8 + b"\0\0\0\0", 1009),
}


@pytest.mark.parametrize("kind", PROTOCOL_ERRORS)
async def test_a_protocol_error_is_a_close_code_and_one_log_line(
    node: Node, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    data, code = PROTOCOL_ERRORS[kind]
    with capture_logs() as received, caplog.at_level(logging.INFO):
        async with raw_socket(node.port) as wrong:
            await admitted(node, wrong)
            await wrong.send(data)
            assert await wrong.read_to_the_end() in ((code,) if code else (1000, 1007))
    lines = [line for line in received if line["event"] != "request"]
    assert [line["log_level"] for line in lines] == ["info"], lines
    assert [record for record in caplog.records if record.levelno >= logging.WARNING or record.exc_info] == []


HANDSHAKES = {
    "a long header": head(more="X: " + "x" * 9_000 + "\r\n"),
    "many headers": head(more="".join(f"X-{number}: x\r\n" for number in range(99))),
    "a header name of no header": head(more="X(: x\r\n"),
    "bytes beyond ASCII": head(more="X: é\xff\r\n"),
    "a key that is none": head().replace(b"dGhlIHNhbXBsZSBub25jZQ==", b"x"),
    "another version": head().replace(b"Version: 13", b"Version: 12"),
    "two keys": head(more="Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"),
    "a body": head(more="Content-Length: 5\r\n"),
    "a long path": head().replace(b"/ws/conversations", b"/ws/conversations?" + b"x" * 9_000),
    "another path": head().replace(b"/ws/conversations", b"/ws/nothing"),
    "a strange subprotocol": head(more="Sec-WebSocket-Protocol: ,;=\r\n"),
}


@pytest.mark.parametrize("kind", HANDSHAKES)
async def test_an_invalid_handshake_is_answered_and_the_connection_closed(
    node: Node, kind: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket_protocol, "REFUSED_SECONDS", 0.3)
    with caplog.at_level(logging.INFO):
        async with raw_socket(node.port) as wrong:
            await wrong.shake(HANDSHAKES[kind])
            await wrong.read_to_the_end(5)
    assert [record for record in caplog.records if record.levelno >= logging.ERROR or record.exc_info] == []


@pytest.mark.parametrize("early", [frame(TEXT, b"{}"), frame(PING), b"\x81\x02{}", frame(CLOSE), frame(PONG) * FLOOD])
async def test_frames_before_the_handshake_response_are_harmless(
    node: Node, early: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with raw_socket(node.port) as eager:
        await eager.send(head())
        await eager.send(early)
        await eager.read_to_the_end(websocket_protocol.CLOSE_SECONDS)
    assert [record for record in caplog.records if record.levelno >= logging.ERROR or record.exc_info] == []
    await eventually(lambda: len(node.live.endpoint._unauthenticated) == 0)


def test_the_allowance_grows_while_the_server_does_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("app.realtime.connection.frame_limits.time.monotonic", lambda: now)
    allowance = FrameLimiter(10)
    assert [allowance.take() for _ in range(21)] == [True] * 20 + [False]
    now += 60
    assert [allowance.take() for _ in range(21)] == [True] * 20 + [False]
    allowance.pause()
    now += 5
    allowance.resume()
    assert [allowance.take() for _ in range(51)] == [True] * 50 + [False]
    allowance.pause()
    now += 3_600
    allowance.resume()
    assert sum(allowance.take() for _ in range(1_000)) == 320
