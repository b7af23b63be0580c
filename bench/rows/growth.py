"""Measures whether a long history costs anything: the same four requests on 10 million messages and on 10 thousand.

Two databases of 50 conversations each differ only in length. Each has its own API process on the measured core, and
rounds alternate between them. The long one is created once with COPY (minutes, some 5 GB) and kept; later runs only
make it longer. The caches are small, so that in both half of the pages come from Postgres. A figure is a ratio: how
many times as fast the short one was.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

import msgspec

from bench.load import Feed, request
from bench.measures import Measure, Plan
from bench.population import FULL, Population, Scale
from bench.processes import Server
from bench.rows.pages import warm
from bench.rows.sends import send
from bench.stage import Stage

CLIENTS = 16
BEHIND = 50
"""Number of changes that a returning client has missed."""

CACHED = 100
VARIETY = 2_000
_SHELVES: Final = Scale(ring=0, desks=0)
SHORT = msgspec.structs.replace(_SHELVES, shelf_messages=200, first=1_000)
LONG = msgspec.structs.replace(_SHELVES, shelf_messages=200_000, first=2_000)
LONG_ENOUGH = msgspec.structs.replace(_SHELVES, shelf_messages=400, first=2_000)
"""For a quick run, which tests the bench itself; its figures mean nothing."""


class History:
    """One of the two databases, with its API process."""

    def __init__(self, stage: Stage, server: Server, scale: Scale) -> None:
        self._stage = stage
        self._server = server
        self._scale = scale
        self._people = Population(scale)

    def feed(self, kind: str) -> Feed:
        """Returns a feed of 2,000 requests of one kind, over all conversations and readers."""
        chance = random.Random(3)
        make = getattr(self, f"_{kind}")
        wanted = [make(chance) for _ in range(VARIETY)]
        return Feed(self._stage.directory / "feeds" / f"{kind}_{self._scale.shelf_messages}", self._server.port, wanted)

    def _send(self, chance: random.Random) -> bytes:
        return send(self._stage, self._people.shelf(chance.randrange(self._scale.shelves)), self._anybody(chance))

    def _page(self, chance: random.Random) -> bytes:
        """Reads the newest page, or a random older one, which the cache does not hold."""
        before = chance.randrange(51, self._scale.shelf_messages - CACHED + 2)
        return self._read(chance, "messages/?limit=50" + chance.choice(("", f"&before={before}")))

    def _changes(self, chance: random.Random) -> bytes:
        newest = self._scale.shelf_messages + len(self._people.readers())
        return self._read(chance, f"changes/?limit=50&after={newest - BEHIND}")

    def _list(self, chance: random.Random) -> bytes:
        return request("GET", "/api/v1/conversations/", self._stage.token(self._anybody(chance)))

    def _read(self, chance: random.Random, what: str) -> bytes:
        conversation = self._people.shelf(chance.randrange(self._scale.shelves))
        path = f"/api/v1/conversations/{conversation}/{what}"
        return request("GET", path, self._stage.token(self._anybody(chance)))

    def _anybody(self, chance: random.Random) -> int:
        return chance.choice(self._people.readers())


@contextmanager
def growth(stage: Stage) -> Iterator[Plan]:
    with ExitStack() as life:
        short, long = (
            life.enter_context(_served(stage, scale)) for scale in (SHORT, LONG if stage.scale == FULL else LONG_ENOUGH)
        )
        kinds = ("page", "changes", "list", "send")
        yield Plan("×", {kind: _ratio(stage, short.feed(kind), long.feed(kind)) for kind in kinds}, least=False)


@contextmanager
def _served(stage: Stage, scale: Scale) -> Iterator[History]:
    database = stage.kept(f"history_{scale.shelf_messages}", scale)
    url = stage.url(database)
    if scale is SHORT:
        # Sends would soon lengthen the short history, so each run has a fresh copy.
        url = stage.copy_of("growth", database)
        stage.forget_caches(Population(scale))
    settings = {"DATABASE_URL": url, "CACHE_MESSAGES": str(CACHED)}
    asyncio.run(warm(stage.settings(**settings), (id_ for id_, _, _ in Population(scale).conversations())))
    with stage.another_api(**settings) as server:
        yield History(stage, server, scale)


def _ratio(stage: Stage, short: Feed, long: Feed) -> Measure:
    def play(feed: Feed, seconds: float) -> float:
        return feed.play(clients=stage.pace.clients(CLIENTS), seconds=seconds).rate

    def measure(seconds: float) -> float:
        # Alternate within a round too, so that disturbances affect both.
        turns = max(1, round(seconds))
        played = [(play(short, seconds / turns), play(long, seconds / turns)) for _ in range(turns)]
        one, other = (sum(rates) for rates in zip(*played, strict=True))
        return one / other if other else 0.0

    return measure
