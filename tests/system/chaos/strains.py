"""Faults that strain: a Redis that is full, a socket that stops reading, one that floods, a clock that is wrong."""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import redis
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.support.raw_sockets import CONT, PING, PONG, TEXT, frame, head, raw_socket
from tests.system.chaos.record import NotFired
from tests.system.chaos.stage import Place

if TYPE_CHECKING:
    from tests.system.chaos.driver import Driver

STOPS_READING: Final = "a socket that stops reading"
FULL_SECONDS: Final = 2.0
AHEAD_SECONDS: Final = 300
SKEWED_SECONDS: Final = 4.0
STOP_SECONDS: Final = 25.0
TOO_SLOW: Final = 4408
SHOUTS, AT_ONCE = 240, 8
"""Of 8,000 characters each: twice what a server keeps for a socket."""
LITTLE_ROOM: Final = 64 * 1024
LAST_SECONDS: Final = 10.0
FLOOD: Final = 2_000
FLOOD_SECONDS: Final = 5.0
TOO_MANY: Final = 4429


async def redis_full(driver: Driver) -> None:
    """Redis refuses writes for FULL_SECONDS."""
    client: Any = redis.Redis.from_url(driver.stage.valkey.url, socket_timeout=3)
    with client:
        before = await asyncio.to_thread(_refused, client)
        await asyncio.to_thread(client.config_set, "maxmemory", "1mb")
        try:
            await driver.probe.all_works(FULL_SECONDS)
        finally:
            await asyncio.to_thread(client.config_set, "maxmemory", "0")
        if await asyncio.to_thread(_refused, client) == before:
            raise NotFired


def _refused(client: Any) -> int:
    return int(client.info("errorstats").get("errorstat_OOM", {}).get("count", 0))


async def stops_reading(driver: Driver) -> None:
    """A client receives much and reads nothing: later it finds the close code after the buffered frames."""
    place, person = driver.some_place(), driver.absent[0]
    room = socket.create_connection(("127.0.0.1", place.port), timeout=3)
    # What is not read soon waits at the server.
    room.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, LITTLE_ROOM)
    room.setblocking(False)
    connection = await connect(
        place.node.url.replace("http:", "ws:") + "/ws/conversations",
        sock=room,
        additional_headers={"Authorization": f"Bearer {person.access}"},
        compression=None,
        max_size=None,
        max_queue=1,
        proxy=None,
        ping_interval=None,
    )
    try:
        await connection.recv()
        for _ in range(SHOUTS // AT_ONCE):
            await asyncio.gather(*(driver.probe.shout(place) for _ in range(AT_ONCE)))
        with suppress(ConnectionClosed, TimeoutError):
            async with asyncio.timeout(LAST_SECONDS * driver.record.patience):
                while True:
                    await connection.recv(decode=False)
        if connection.close_code != TOO_SLOW:
            driver.problem(f"I11: a socket that was not read was closed with {connection.close_code}")
    finally:
        connection.transport.abort()


async def floods(driver: Driver) -> None:
    """Frames that no application sees, far more than are allowed: each kind ends its socket, a refused one too."""
    place, person = driver.some_place(), driver.absent[0]
    empty = frame(TEXT, b"{", fin=False) + frame(CONT, fin=False) * FLOOD
    kinds = {
        "pings": (person.access, frame(PING) * FLOOD),
        "pongs": (person.access, frame(PONG) * FLOOD),
        "empty continuation frames": (person.access, empty),
        "pongs on a refused socket": ("", frame(PONG) * FLOOD),
    }
    for kind, (access, flood) in kinds.items():
        async with raw_socket(place.port) as socket:
            try:
                async with asyncio.timeout(FLOOD_SECONDS * driver.record.patience):
                    status = await socket.shake(head(access))
                    # A refused socket ends by itself a little later.
                    greeted = not access or await socket.read() is not None
            except TimeoutError:
                status, greeted = "nothing", False
            if not greeted:
                driver.problem(f"I11: a socket that was to send {kind} was answered with {status} and not greeted")
                continue
            await socket.send(flood)
            try:
                code = await socket.read_to_the_end(FLOOD_SECONDS * driver.record.patience)
            except TimeoutError:
                driver.problem(f"I11: a socket that sent {FLOOD} {kind} at once is not ended")
                continue
            if access and code not in (None, TOO_MANY):
                driver.problem(f"I11: a socket that sent {FLOOD} {kind} at once was closed with {code}")


async def clock_ahead(driver: Driver) -> None:
    """An API process five minutes ahead of the others and of Postgres, under load; then a right one again."""
    place = driver.some_place()
    await _exchange(driver, place, ("tests.system.chaos.skewed", str(AHEAD_SECONDS)))
    began, here = len(driver.record.calls), time.time()
    await asyncio.sleep(SKEWED_SECONDS)
    given = [call.answer["id"] for call in driver.record.calls[began:] if call.verb == "send" and call.answer]
    await _exchange(driver, place, ())
    # The first 48 bits of an id are its creator's clock in milliseconds (RFC 9562, section 5.7).
    if not any(UUID(one).int >> 80 > (here + AHEAD_SECONDS) * 1_000 for one in given):
        raise NotFired


async def _exchange(driver: Driver, place: Place, program: tuple[str, ...]) -> None:
    api = place.running
    place.up.clear()
    api.signal(signal.SIGTERM)
    await driver.stage.do(lambda: api.process.wait(STOP_SECONDS))
    await driver.stage.restart(place, program)
