"""An address that causes many refusals opens no connections for a while, and is admitted again soon after."""

from __future__ import annotations

import pytest

from app.server import refusal_counts
from app.server.peer_counts import Peers
from app.server.refusal_counts import LEAK_PER_SECOND, MOST, MOST_ADDRESSES, REFUSALS, RefusalCounts
from tests.server.conftest import Server, listening, refused

HOSTILE, OTHER = "192.0.2.1", "192.0.2.2"
NO_HTTP = b"no HTTP\r\n\r\n"


class Clock:
    seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


def refusals(counts: RefusalCounts, number: int, address: str = HOSTILE) -> None:
    for _ in range(number):
        counts.add(address)


def test_an_address_is_refused_after_its_last_allowed_refusal_and_others_are_not() -> None:
    counts = RefusalCounts(Clock())
    refusals(counts, REFUSALS)
    assert counts.admits(HOSTILE)
    refusals(counts, 1)
    assert not counts.admits(HOSTILE)
    assert counts.admits(OTHER)


def test_an_address_is_admitted_ten_seconds_after_its_last_refusal_however_many_there_were() -> None:
    clock = Clock()
    counts = RefusalCounts(clock)
    refusals(counts, 1_000)
    assert not counts.admits(HOSTILE)
    clock.seconds += (MOST - REFUSALS) / LEAK_PER_SECOND
    assert clock.seconds == 1_010
    assert counts.admits(HOSTILE)


def test_a_slow_trickle_of_refusals_never_blocks_an_address() -> None:
    clock = Clock()
    counts = RefusalCounts(clock)
    for _ in range(10 * REFUSALS):
        clock.seconds += 1 / LEAK_PER_SECOND
        counts.add(HOSTILE)
        assert counts.admits(HOSTILE)


def test_attempts_of_clients_that_wait_do_not_keep_an_address_blocked_but_a_flood_does() -> None:
    clock = Clock()
    counts = RefusalCounts(clock)
    refusals(counts, 1_000)
    attempts = 0
    while not counts.admits(HOSTILE):
        clock.seconds += 0.1  # ten attempts a second
        attempts += 1
    assert attempts == 125  # 12.5 s: it leaks 5 a second, and the attempts add one
    refusals(counts, 1_000)
    for _ in range(1_000):
        clock.seconds += 0.01
        assert not counts.admits(HOSTILE)


def test_the_number_of_counted_addresses_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_ADDRESSES == 10_000
    monkeypatch.setattr(refusal_counts, "MOST_ADDRESSES", 3)
    counts = RefusalCounts(Clock())
    refusals(counts, 1_000)
    for number in range(2):
        refusals(counts, 1, f"198.51.100.{number}")
    refusals(counts, 1)
    refusals(counts, 1, OTHER)
    assert len(counts) == 3
    assert not counts.admits(HOSTILE)  # the latest stay


def test_refusals_are_counted_only_where_connections_of_an_address_are() -> None:
    counted, behind_a_proxy = Peers(max_per_address=2), Peers()
    for peers in (counted, behind_a_proxy):
        for _ in range(1_000):
            peers.caused_refusal(HOSTILE)
            peers.caused_refusal("127.0.0.1")
    assert not counted.enter(HOSTILE)
    assert counted.enter("127.0.0.1")
    assert behind_a_proxy.enter(HOSTILE)


async def test_a_client_without_http_is_refused_connections_and_then_admitted() -> None:
    async with listening() as server:
        server.config.peers = peers = OneAddress(max_per_address=1_000)
        for _ in range(REFUSALS + 1):
            assert await answer(server) == (400, "malformed")
        for _ in range(3):
            assert await answer(server) == (503, "too_many_connections")
        peers.clock.seconds += 11
        assert await answer(server) == (400, "malformed")


class OneAddress(Peers):
    """Counts clients of this machine as those of one address elsewhere."""

    def __init__(self, *, max_per_address: int) -> None:
        super().__init__(max_per_address=max_per_address)
        self.clock = Clock()
        self._refusals = RefusalCounts(self.clock)

    def _counted_as(self, address: str | None) -> str:
        return HOSTILE if address else ""


async def answer(server: Server) -> tuple[int, str]:
    async with server.peer() as peer:
        await peer.say(NO_HTTP)
        return refused(await peer.rest())
