"""Connections are limited in total and per address, and so are unread answers."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from app.server import limits, peer_counts
from app.server.peer_counts import Peers
from tests.server.conftest import Server, listening, refused
from tests.support.nodes import eventually

LARGE = b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n"


def test_connections_are_limited_per_address() -> None:
    counted = Peers(max_per_address=2)
    assert [counted.enter("192.0.2.1") for _ in range(3)] == [True, True, False]
    assert counted.enter("192.0.2.2")
    counted.leave("192.0.2.1")
    counted.leave("192.0.2.1")
    assert counted.enter("192.0.2.1")
    assert len(counted) == 3


def test_an_ipv6_network_counts_as_one_address() -> None:
    counted = Peers(max_per_address=1)
    assert counted.enter("2001:db8::1")
    assert not counted.enter("2001:db8::2")
    assert counted.enter("2001:db8:0:1::1")


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.2", "::1", "::ffff:127.0.0.1", None, "nonsense"])
def test_connections_from_this_machine_are_not_limited_per_address(address: str | None) -> None:
    counted = Peers(max_per_address=1)
    assert all(counted.enter(address) for _ in range(5))


def test_behind_proxies_only_the_total_is_limited() -> None:
    counted = Peers(max_total=3, max_per_address=None)
    assert [counted.enter("192.0.2.1") for _ in range(4)] == [True, True, True, False]


async def test_a_connection_above_the_limit_is_503_and_the_others_continue() -> None:
    async with listening() as server, AsyncExitStack() as stack:
        server.config.peers = Peers(max_total=2)
        first = [await stack.enter_async_context(server.peer()) for _ in range(2)]
        await eventually(lambda: server.connections == 2)
        async with server.peer() as third:
            assert refused(await third.rest()) == (503, "too_many_connections")
        await first[0].say(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await first[0].answer())[0] == 200
        await eventually(lambda: server.connections == 2)


async def test_lingering_refused_connections_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer_counts, "LINGERING", 1)
    async with listening() as server:
        server.config.peers = Peers(max_total=0)
        async with server.peer() as first, server.peer() as second:
            await eventually(lambda: server.connections == 1)
            assert await second.rest() == b""
            assert refused(await first.rest()) == (503, "too_many_connections")
        await eventually(lambda: server.connections == 0)


async def test_an_unread_answer_is_cut_off(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "UNREAD_SECONDS", 0.3)
    async with server.peer(receive_buffer=4_096) as peer:
        peer.reader._transport.pause_reading()  # type: ignore[attr-defined]
        await peer.say(LARGE)
        await eventually(lambda: server.connections == 1)
        await eventually(lambda: server.connections == 0)


async def test_a_slow_reader_receives_its_whole_answer(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "UNREAD_SECONDS", 0.3)
    monkeypatch.setattr(limits, "UNREAD_STEP", 1_024)
    async with server.peer(receive_buffer=16_384) as peer:
        await peer.say(b"GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        found = 0
        async with asyncio.timeout(60):
            while some := await peer.reader.read(262_144):
                found += len(some)
                await asyncio.sleep(0.02)
        assert found > 8 * 1024 * 1024


async def test_unread_answers_are_bounded_in_total(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer_counts, "UNREAD_BYTES", 20 * 1024 * 1024)
    async with listening() as server, AsyncExitStack() as stack:
        for _ in range(6):
            peer = await stack.enter_async_context(server.peer(receive_buffer=4_096))
            peer.reader._transport.pause_reading()  # type: ignore[attr-defined]
            await peer.say(LARGE)
        await eventually(lambda: len(server.app.requested) == 6)
        # Of 8 MB each: two fit.
        await eventually(lambda: 1 <= server.connections <= 3)
