"""Clients that bend HTTP itself: heads, bodies, trailers and connections without measure."""

from __future__ import annotations

import asyncio
import os
from typing import Final

from tests.system.chaos.hostile.ground import Ground, Kind, Tally, connected, everywhere, pour, request

AT_ONCE: Final = 8
PATIENT: Final = 190
"""Below what CONNECTIONS_PER_ADDRESS allows."""
MANY: Final = 1_000
MEGABYTE: Final = 2**20
BEGINNING: Final = b"GET / HTTP/1.1\r\nHost: x\r\n"
CHUNKED: Final = b"POST /api/v1/login/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
SLOW_BODY: Final = (
    b"POST /api/v1/login/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 200000\r\n\r\n"
)


async def small_headers(ground: Ground, tally: Tally) -> None:
    """Heads of very many small headers."""
    await everywhere(AT_ONCE, lambda: pour(ground, tally, BEGINNING + b"a:b\r\n" * (MEGABYTE // 5)))


async def endless_header(ground: Ground, tally: Tally) -> None:
    """A header without an end."""
    await everywhere(AT_ONCE, lambda: pour(ground, tally, BEGINNING + b"X: ", then=b"y" * MEGABYTE))


async def long_addresses(ground: Ground, tally: Tally) -> None:
    """Request targets of a megabyte."""
    await everywhere(AT_ONCE, lambda: pour(ground, tally, b"GET /" + b"a" * MEGABYTE))


async def slow_heads(ground: Ground, tally: Tally) -> None:
    """Heads of which a byte comes now and then, on as many connections as one address may have."""
    await everywhere(PATIENT, lambda: pour(ground, tally, BEGINNING + b"X: ", then=b"y", every=0.5))


async def slow_bodies(ground: Ground, tally: Tally) -> None:
    """The same with bodies."""
    await everywhere(PATIENT, lambda: pour(ground, tally, SLOW_BODY + b"{", then=b" ", every=0.5))


async def endless_trailers(ground: Ground, tally: Tally) -> None:
    """Trailers without an end."""
    await everywhere(AT_ONCE, lambda: pour(ground, tally, CHUNKED + b"0\r\n", then=b"a:b\r\n" * 10_000))


async def tiny_chunks(ground: Ground, tally: Tally) -> None:
    """Bodies in chunks of one byte."""
    await everywhere(AT_ONCE, lambda: pour(ground, tally, CHUNKED, then=b"1\r\n \r\n" * 10_000))


async def large_bodies(ground: Ground, tally: Tally) -> None:
    """Bodies of the largest size, nested as deep as they are long."""
    body = b"[" * (255 * 1024)
    await everywhere(AT_ONCE, lambda: pour(ground, tally, request("POST", "/login/", body)))


async def deep_pipelines(ground: Ground, tally: Tally) -> None:
    """Very many requests in one piece."""
    await everywhere(AT_ONCE, lambda: pour(ground, tally, b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n" * 10_000))


async def nonsense(ground: Ground, tally: Tally) -> None:
    """Random bytes."""
    await everywhere(AT_ONCE, lambda: pour(ground, tally, os.urandom(4_096)))


async def unread_answers(ground: Ground, tally: Tally) -> None:
    """Large pages that are never read."""
    page = request("GET", f"/conversations/{ground.long_conversation}/messages/?limit=100", access=ground.access)

    async def ask() -> None:
        async with connected(ground, tally, room=4_096) as (_, writer):
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            writer.write(page * 4)
            tally["requests"] += 4
            for _ in range(60):
                await asyncio.sleep(0.5)
                if writer.is_closing():
                    return

    await everywhere(PATIENT, ask)


async def open_and_close(ground: Ground, tally: Tally) -> None:
    """Connections that are opened and closed at once."""

    async def come_and_go() -> None:
        async with connected(ground, tally):
            pass

    await everywhere(64, come_and_go)


async def idle_connections(ground: Ground, tally: Tally) -> None:
    """Far more connections than one address may have, which say nothing."""

    async def wait() -> None:
        async with connected(ground, tally) as (reader, _):
            if b" 503 " in await reader.read(65_536):
                tally["503"] += 1

    await everywhere(MANY, wait)


KINDS: Final[dict[str, Kind]] = {
    "many-small-headers": small_headers,
    "endless-header": endless_header,
    "long-addresses": long_addresses,
    "slow-heads": slow_heads,
    "slow-bodies": slow_bodies,
    "endless-trailers": endless_trailers,
    "tiny-chunks": tiny_chunks,
    "large-bodies": large_bodies,
    "deep-pipelines": deep_pipelines,
    "nonsense": nonsense,
    "unread-answers": unread_answers,
    "open-and-close": open_and_close,
    "idle-connections": idle_connections,
}
