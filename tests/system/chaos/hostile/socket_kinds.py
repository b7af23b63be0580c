"""Clients that misuse a WebSocket. A connection that the server ends is opened again."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import msgspec

from tests.support.raw_sockets import CONT, PING, PONG, TEXT, RawSocket, frame, head, raw_socket
from tests.system.chaos.hostile.ground import Ground, Kind, Tally

SOCKETS: Final = 20
AT_ONCE: Final = 2_000
FASTER: Final = 0.02
"""Of a client that sends one frame at a time: the most that WS_FRAMES_PER_SECOND allows."""
SHAKE_SECONDS: Final = 15.0


async def empty_continuations(ground: Ground, tally: Tally) -> None:
    """A message in pieces of nothing, without an end."""
    flood = frame(TEXT, b"{", fin=False) + frame(CONT, fin=False) * AT_ONCE
    await _flood(ground, tally, ground.access, flood, then=frame(CONT, fin=False) * AT_ONCE)


async def unread_pings(ground: Ground, tally: Tally) -> None:
    """Pings whose answers the client does not read."""
    await _flood(ground, tally, ground.access, frame(PING, b"x" * 125) * AT_ONCE, room=4_096)


async def patient_pings(ground: Ground, tally: Tally) -> None:
    """The same within the allowance, on many sockets, for as long as they last."""
    await asyncio.gather(*(_drip(ground, tally, lambda _: frame(PING, b"x" * 125), room=4_096) for _ in range(SOCKETS)))


async def pongs_when_refused(ground: Ground, tally: Tally) -> None:
    """Pongs through sockets that have no token."""
    await asyncio.gather(*(_flood(ground, tally, "", frame(PONG) * AT_ONCE) for _ in range(SOCKETS)))


async def typing(ground: Ground, tally: Tally) -> None:
    """Typing from twenty sockets, as fast as a socket may."""
    said = frame(TEXT, msgspec.json.encode({"type": "typing", "conversation": ground.conversation}))
    await asyncio.gather(*(_drip(ground, tally, lambda _: said) for _ in range(SOCKETS)))


async def read_marks(ground: Ground, tally: Tally) -> None:
    """Read marks from twenty sockets, as fast as a socket may."""

    def said(number: int) -> bytes:
        seq = number % (ground.last_seq + 1)
        return frame(TEXT, msgspec.json.encode({"type": "read", "conversation": ground.conversation, "seq": seq}))

    await asyncio.gather(*(_drip(ground, tally, said) for _ in range(SOCKETS)))


KINDS: Final[dict[str, Kind]] = {
    "empty-continuations": empty_continuations,
    "unread-pings": unread_pings,
    "unread-pings-in-allowance": patient_pings,
    "pongs-on-refused-sockets": pongs_when_refused,
    "typing": typing,
    "read-marks": read_marks,
}


async def _flood(
    ground: Ground, tally: Tally, access: str, data: bytes, *, then: bytes = b"", room: int | None = None
) -> None:
    """All at once, again and again; a new connection where the server has ended the old one."""
    while True:
        with suppress(OSError, TimeoutError):
            async with raw_socket(ground.port, room=room, address=ground.address) as socket:
                await _shake(socket, tally, access)
                while await socket.send(data, seconds=1):
                    tally["frames"] += AT_ONCE
                    data = then or data
                    await asyncio.sleep(0)
        await asyncio.sleep(0.01)


async def _drip(ground: Ground, tally: Tally, said: Callable[[int], bytes], *, room: int | None = None) -> None:
    """One frame at a time. What the server says is read, unless the client has `room` for a little only."""
    while True:
        with suppress(OSError, TimeoutError):
            async with raw_socket(ground.port, room=room, address=ground.address) as socket:
                await _shake(socket, tally, ground.access)
                reading = None if room else asyncio.create_task(_read_on(socket))
                for number in itertools.count():
                    if socket.ended or not await socket.send(said(number), seconds=1):
                        break
                    tally["frames"] += 1
                    await asyncio.sleep(FASTER)
                if reading is not None:
                    reading.cancel()
        await asyncio.sleep(0.1)


async def _shake(socket: RawSocket, tally: Tally, access: str) -> None:
    async with asyncio.timeout(SHAKE_SECONDS):
        status = await socket.shake(head(access))
    tally["connections"] += 1
    tally[status[9:12] or "no answer"] += 1


async def _read_on(socket: RawSocket) -> None:
    while await socket.read() is not None:
        continue
