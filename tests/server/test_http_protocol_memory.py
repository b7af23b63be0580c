"""A connection that has ended is freed at once: with thousands a second, the garbage collector would come too late."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from typing import Any, Final

import pytest

from app.server.http_protocol import RequestProtocol
from tests.server.conftest import Server
from tests.support.nodes import eventually

MEGABYTE: Final = 2**20
BEGINNING: Final = b"GET / HTTP/1.1\r\nHost: x\r\n"


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[weakref.ref[RequestProtocol]]]:
    """The protocols of all connections, while the collector rests."""
    found: list[weakref.ref[RequestProtocol]] = []
    create = RequestProtocol.__init__

    def noted(self: RequestProtocol, *args: Any, **options: Any) -> None:
        create(self, *args, **options)
        found.append(weakref.ref(self))

    monkeypatch.setattr(RequestProtocol, "__init__", noted)
    gc.collect()
    gc.disable()
    yield found
    gc.enable()


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET /" + b"a" * MEGABYTE, 414),
        (BEGINNING + b"a:b\r\n" * (MEGABYTE // 5), 431),
        (BEGINNING + b"X: " + b"y" * MEGABYTE, 431),
        (BEGINNING + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 501),
        (b"\x16\x03\x01" * 100, 400),
    ],
    ids=["url", "small headers", "endless header", "coding", "no http"],
)
async def test_a_refused_connection_keeps_no_memory(
    server: Server, made: list[weakref.ref[RequestProtocol]], data: bytes, status: int
) -> None:
    assert (await server.refusal(data))[0] == status
    await eventually(lambda: len(made) == 1 and made[0]() is None)


async def test_an_answered_connection_keeps_no_memory(server: Server, made: list[weakref.ref[RequestProtocol]]) -> None:
    async with server.peer() as peer:
        await peer.say(BEGINNING + b"\r\n")
        assert (await peer.answer())[0] == 200
    await eventually(lambda: len(made) == 1 and made[0]() is None)
