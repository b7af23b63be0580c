"""How long the reference client waits before it comes back."""

from __future__ import annotations

import asyncio

from chat_client.pauses import FIRST, LONGEST, Pace, Pauses

LOST, RESTARTING = 1006, 1012


def grown() -> Pauses:
    pauses = Pauses()
    for _ in range(12):
        pauses.after(LOST, lived=0.1)
    return pauses


def test_pauses_grow_to_a_bound_and_no_two_clients_wait_alike() -> None:
    many = [[pauses.after(LOST, lived=0.1) for _ in range(12)] for pauses in (Pauses(), Pauses())]
    assert all(FIRST * 2**n / 2 <= pause <= FIRST * 2**n for n, pause in enumerate(many[0][:6]))
    assert max(many[0]) <= LONGEST
    assert many[0] != many[1]


def test_after_a_steady_socket_the_pause_is_short_again() -> None:
    assert grown().after(LOST, lived=60) <= FIRST
    assert grown().after(LOST, lived=2) > FIRST


def test_after_a_restart_the_first_pause_is_short_and_repeated_ones_grow() -> None:
    assert grown().after(RESTARTING, lived=2) <= FIRST
    assert grown().after(RESTARTING, lived=0.01) > FIRST


async def test_frames_keep_to_the_servers_rate() -> None:
    pace, loop = Pace(20), asyncio.get_running_loop()
    began = loop.time()
    for _ in range(50):
        await pace.turn()
    assert loop.time() - began >= (50 - 20) / 20 - 0.1
