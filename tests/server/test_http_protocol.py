"""Requests on a connection are bounded in size and time, and a refusal names the limit."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from app.server import limits
from app.server.http_protocol import RequestProtocol
from app.server.peer_counts import Peers
from tests.server.conftest import Server, listening, refused
from tests.support.nodes import eventually

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


def head(fields: bytes) -> bytes:
    return b"GET / HTTP/1.1\r\nHost: x\r\n" + fields + b"\r\n"


async def test_a_head_of_one_endless_header_is_431(server: Server) -> None:
    beginning = b"GET / HTTP/1.1\r\nHost: x\r\nX: "
    assert await server.refusal(beginning + b"y" * 2**20) == (431, "head_too_large")
    assert server.app.requested == []


async def test_a_head_of_many_large_headers_is_431(server: Server) -> None:
    fields = b"".join(b"X-%d: %b\r\n" % (at, b"y" * 1_000) for at in range(40))
    assert await server.refusal(head(fields)) == (431, "head_too_large")
    assert server.app.requested == []


async def test_a_head_of_many_small_headers_is_431_before_it_ends(server: Server) -> None:
    assert await server.refusal(b"GET / HTTP/1.1\r\nHost: x\r\n" + b"a:b\r\n" * 200_000) == (431, "head_too_large")
    assert server.app.requested == []


async def test_as_many_headers_as_are_allowed_are_read(server: Server) -> None:
    async with server.peer() as peer:
        await peer.say(head(b"a: b\r\n" * (limits.HEAD_FIELDS - 1)))
        assert await peer.answer() == (200, b"0 %d" % limits.HEAD_FIELDS)
        await peer.say(head(b"a: %b\r\n" % (b"y" * (limits.HEAD_BYTES - 100))))
        assert await peer.answer() == (200, b"0 2")


async def test_a_long_request_target_is_414(server: Server) -> None:
    assert await server.refusal(b"GET /%b HTTP/1.1\r\n" % (b"a" * limits.URL_BYTES)) == (414, "url_too_long")
    async with server.peer() as peer:
        await peer.say(b"GET /%b HTTP/1.1\r\nHost: x\r\n\r\n" % (b"a" * (limits.URL_BYTES - 1)))
        assert (await peer.answer())[0] == 200


async def test_trailers_are_dropped(server: Server) -> None:
    async with server.peer() as peer:
        await peer.say(CHUNKED + b"1\r\nx\r\n0\r\nX-Role: admin\r\n\r\n")
        assert await peer.answer() == (200, b"1 2")


@pytest.mark.parametrize(
    "endless",
    [b"0\r\n" + b"a:b\r\n" * 200_000, b"0\r\nX: " + b"y" * 2**20, b"1;" + b"e" * 2**20],
    ids=["trailers", "one trailer", "extension of a chunk"],
)
async def test_endless_trailers_and_chunk_extensions_are_431(server: Server, endless: bytes) -> None:
    assert await server.refusal(CHUNKED + endless) == (431, "head_too_large")
    await eventually(lambda: server.app.disconnected == 1)


async def test_endless_empty_lines_are_431(server: Server) -> None:
    assert await server.refusal(b"\r\n" * 2**19) == (431, "head_too_large")


async def test_pipelined_requests_are_answered_in_order(server: Server) -> None:
    async with server.peer() as peer:
        paths = [b"/%d" % at for at in range(limits.PIPELINED)]
        await peer.say(b"".join(b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n" % path for path in paths))
        assert [(await peer.answer())[0] for _ in paths] == [200] * len(paths)
        assert server.app.requested == [path.decode() for path in paths]
        await peer.say(GET)
        assert (await peer.answer())[0] == 200


async def test_a_deep_pipeline_is_answered_up_to_its_limit_and_closed(server: Server) -> None:
    async with server.peer() as peer:
        await peer.say(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n" + GET * 13_000)
        await asyncio.sleep(0.2)
        server.app.gate.set()
        answers = await peer.rest()
    assert answers.count(b"HTTP/1.1 200 ") == limits.PIPELINED + 1
    assert len(server.app.requested) == limits.PIPELINED + 1


async def test_a_request_before_a_bad_one_gets_its_answer(server: Server) -> None:
    async with server.peer() as peer:
        await peer.say(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\nNONSENSE\r\n\r\n")
        await asyncio.sleep(0.2)
        server.app.gate.set()
        answers = await peer.rest()
    assert answers.count(b"HTTP/1.1 ") == answers.count(b"HTTP/1.1 200 ") == 1


async def test_bytes_that_are_not_http_are_400(server: Server) -> None:
    assert await server.refusal(b"\x16\x03\x01\x02\x00\x01\x00") == (400, "malformed")


async def test_a_body_in_very_many_chunks_is_413(server: Server) -> None:
    chunk = b"1\r\n.\r\n"
    assert await server.refusal(CHUNKED + chunk * (limits.CHUNKS + 1)) == (413, "too_large")
    async with server.peer() as peer:
        await peer.say(CHUNKED + chunk * (limits.CHUNKS - 1) + b"0\r\n\r\n")
        assert await peer.answer() == (200, b"%d 2" % (limits.CHUNKS - 1))


@pytest.mark.parametrize("coding", [b"gzip, chunked", b"chunked, chunked", b"br", b"identity"])
async def test_a_transfer_coding_other_than_chunked_is_501(server: Server, coding: bytes) -> None:
    request = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: %b\r\n\r\n0\r\n\r\n" % coding
    status, code = await server.refusal(request)
    assert (status, code) in {(501, "unknown_transfer_coding"), (400, "malformed")}
    assert coding != b"gzip, chunked" or status == 501
    assert server.app.requested == []


async def test_an_unread_body_is_not_received_endlessly(server: Server) -> None:
    async with server.peer() as peer:
        await peer.say(b"POST /unread HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n")
        assert (await peer.answer())[0] == 200
        sent = 0
        while sent < 100_000_000 and not peer.reader.at_eof():
            await peer.say(b"x" * 65_536)
            sent += 65_536
            await asyncio.sleep(0)
        assert sent < 50_000_000
        assert await peer.rest() == b""


async def test_a_head_that_stalls_is_408(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "HEAD_SECONDS", 0.3)
    assert await server.refusal(b"GET / HTTP/1.1\r\nHost") == (408, "request_timeout")


async def test_a_body_that_stalls_is_408_and_disconnects_its_handler(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "BODY_SECONDS", 0.3)
    stalled = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nx"
    assert await server.refusal(stalled) == (408, "request_timeout")
    await eventually(lambda: server.app.disconnected == 1)


async def test_a_body_that_stalls_leaves_the_running_request_before_it(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "BODY_SECONDS", 0.3)
    async with server.peer() as peer:
        await peer.say(
            b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\nPOST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nx"
        )
        await asyncio.sleep(0.6)
        server.app.gate.set()
        answers = await peer.rest()
    assert answers.count(b"HTTP/1.1 ") == answers.count(b"HTTP/1.1 200 ") == 1
    assert server.app.requested == ["/slow"]


async def test_a_body_that_stalls_after_its_answer_closes_the_connection(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "BODY_SECONDS", 0.3)
    async with server.peer() as peer:
        await peer.say(b"GET /unread HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nx")
        assert (await peer.answer())[0] == 200
        assert await peer.rest() == b""


async def test_a_client_that_half_closes_receives_its_answers(server: Server) -> None:
    slow = b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"
    # A request behind one under way pauses reading: the server sees the end before it answers only if `slow` is alone.
    for requests in (GET, GET + GET, slow, slow + GET):
        server.app.gate.clear()
        async with server.peer() as peer:
            await peer.say(requests)
            peer.writer.write_eof()
            asyncio.get_running_loop().call_later(0.2, server.app.gate.set)
            answers = await peer.rest()
            assert answers.count(b"HTTP/1.1 200 ") == requests.count(b"GET")
    await eventually(lambda: server.connections == 0)


async def test_a_client_that_half_closes_within_a_request_is_disconnected(server: Server) -> None:
    for beginning in (b"", b"GET / HT", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nx"):
        async with server.peer() as peer:
            await peer.say(beginning)
            peer.writer.write_eof()
            assert await peer.rest() == b""
    await eventually(lambda: server.connections == 0)


async def test_an_empty_line_keeps_no_connection_open() -> None:
    async with listening(timeout_keep_alive=0.5) as server, server.peer() as peer:
        await peer.say(GET)
        assert (await peer.answer())[0] == 200
        await peer.say(b"\r\n")
        assert await peer.rest() == b""
        await eventually(lambda: server.connections == 0)


@pytest.mark.parametrize(("limit", "above"), [("DISCARDED_BYTES", False), ("DISCARDED_UNADMITTED_BYTES", True)])
async def test_what_a_refused_client_sends_is_read_up_to_a_limit(
    monkeypatch: pytest.MonkeyPatch, limit: str, above: bool
) -> None:
    monkeypatch.setattr(limits, "LINGER_SECONDS", 0.5)
    read, data_received = 0, RequestProtocol.data_received

    def counted(protocol: RequestProtocol, data: bytes) -> None:
        nonlocal read
        read += len(data)
        data_received(protocol, data)

    monkeypatch.setattr(RequestProtocol, "data_received", counted)
    async with listening() as server:
        if above:
            server.config.peers = Peers(max_total=0)
        async with server.peer() as peer:
            with suppress(ConnectionError):
                for _ in range(640):  # 40 MB, far more than the kernel takes
                    peer.writer.write(b"GET / HTTP/1.1\r\nX: " + b"y" * 65_536)
                    await peer.writer.drain()
        await eventually(lambda: server.connections == 0)
    assert 0 < read <= getattr(limits, limit) + 2**20


async def test_a_refused_client_that_keeps_sending_reads_the_reason_and_is_cut(server: Server) -> None:
    async with server.peer() as peer:
        for _ in range(100):
            await peer.say(b"GET / HTTP/1.1\r\nX: " + b"y" * 65_536)
        assert refused(await peer.rest()) == (431, "head_too_large")
    await eventually(lambda: server.connections == 0)
