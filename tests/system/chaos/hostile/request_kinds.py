"""Clients whose requests are in order, and far too many or as costly as they can be."""

from __future__ import annotations

import itertools
import random
import string
from collections.abc import Callable
from typing import Final

import msgspec

from tests.system.chaos.hostile.ground import Ground, Kind, Tally, converse, everywhere, request

CONNECTIONS: Final = 16
NOBODY: Final = "00000000-0000-7000-8000-000000000000"
LONG: Final = 8_000


async def large_pages(ground: Ground, tally: Tally) -> None:
    """Pages of a megabyte, read as fast as they come."""
    page = request("GET", f"/conversations/{ground.long_conversation}/messages/?limit=500", access=ground.access)
    await _from_many(ground, tally, lambda: page)


async def searches(ground: Ground, tally: Tally) -> None:
    """Searches for two letters, each for others."""

    def search() -> bytes:
        sought = "".join(random.choices(string.ascii_lowercase, k=2))
        return request("GET", f"/conversations/?search={sought}&limit=100", access=ground.access)

    await _from_many(ground, tally, search)


async def logins(ground: Ground, tally: Tally) -> None:
    """Guessed passwords, of an account that exists and of many that do not."""
    numbers = itertools.count()

    def guess() -> bytes:
        number = next(numbers)
        email = ground.email if number % 2 else f"guessed{number}@example.org"
        return request("POST", "/login/", _json(email=email, password=f"guess {number} long enough"))

    await _from_many(ground, tally, guess)


async def registrations(ground: Ground, tally: Tally) -> None:
    """New accounts without end."""
    numbers = itertools.count()

    def register() -> bytes:
        number = next(numbers)
        name = {"first_name": "Mallory", "last_name": f"M{number}"}
        account = {"email": f"m{number}.{random.random()}@example.org", "password": f"long enough {number}", **name}
        return request("POST", "/users/", _json(**account))

    await _from_many(ground, tally, register)


async def without_login(ground: Ground, tally: Tally) -> None:
    """Requests without a token, and with one that is no token."""
    numbers = itertools.count()

    def ask() -> bytes:
        number = next(numbers)
        return request("GET", "/conversations/", access=f"a.b.{number}" if number % 2 else "")

    await _from_many(ground, tally, ask)


async def unknown_paths(ground: Ground, tally: Tally) -> None:
    """Long paths that lead nowhere."""
    numbers = itertools.count()
    await _from_many(ground, tally, lambda: request("GET", f"/{next(numbers)}/{'%41' * 2_000}"))


async def with_login(ground: Ground, tally: Tally) -> None:
    """Requests of one account, far beyond its allowance."""
    numbers = itertools.count()
    paths = (f"/conversations/{ground.conversation}/", f"/conversations/{NOBODY}/", "/conversations/?limit=100")
    await _from_many(ground, tally, lambda: request("GET", paths[next(numbers) % 3], access=ground.access))


async def worst_inputs(ground: Ground, tally: Tally) -> None:
    """What patterns and parsers take longest for, where they meet it."""
    costly = itertools.cycle(_costly(ground))
    await _from_many(ground, tally, lambda: next(costly))


def _costly(ground: Ground) -> list[bytes]:
    messages, access = f"/conversations/{ground.conversation}/messages/", ground.access
    texts = ("@a " * LONG, "@" * LONG, "a@" * LONG, "@" + "a" * LONG)
    emails = ("a@" + "a." * LONG, "a@" + "a-" * LONG, "a@" + "a" * LONG + "!", "a" * LONG)
    return [
        *(request("POST", messages, _json(message_type="text", text=one[:LONG]), access=access) for one in texts),
        *(request("POST", "/login/", _json(email=one, password="x" * 64)) for one in emails),
        request("POST", "/login/", b"[" * 200_000),
        request("POST", "/login/", b'{"' + b"x" * 200_000 + b'":1}'),
        request("POST", "/login/", _json(email="a@b.c", password="x" * 200_000)),
        request("POST", "/login/", _json(email="a@b.c", password="x"), more=f"User-Agent: {'1.' * 14_000}\r\n"),
        request("GET", "/conversations/", access="a." * 14_000),
        request("GET", f"/conversations/?cursor={'A' * 7_000}", access=access),
        request("GET", f"/conversations/?{'a=&' * 2_500}", access=access),
        request("GET", "/", more=f"X-Forwarded-For: {'1,' * 14_000}\r\n"),
        request("GET", "/", more=f"Cookie: {'a=b;' * 7_000}\r\n"),
        request("GET", "/", more=f"Accept-Encoding: {'gzip;q=0.1,' * 2_500}\r\nOrigin: {'a.' * 500}\r\n"),
    ]


async def _from_many(ground: Ground, tally: Tally, requests: Callable[[], bytes]) -> None:
    await everywhere(CONNECTIONS, lambda: converse(ground, tally, requests))


def _json(**fields: str) -> bytes:
    return msgspec.json.encode(fields)


KINDS: Final[dict[str, Kind]] = {
    "large-pages": large_pages,
    "searches": searches,
    "logins": logins,
    "registrations": registrations,
    "without-login": without_login,
    "unknown-paths": unknown_paths,
    "with-login": with_login,
    "worst-inputs": worst_inputs,
}
