"""Reads pages of 50 messages while others send to the same conversations."""

from __future__ import annotations

import asyncio
import http.client
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from uuid import UUID

import msgspec

from app.db import Database, open_engine
from app.redis.client import RedisClient
from app.settings import Settings
from app.store.cache_rebuild import Rebuilder
from app.store.page_cache import PageCache
from bench.load import request
from bench.measures import Plan
from bench.population import ring
from bench.processes import Failed
from bench.references import litestar_alone, textbook
from bench.rows.sends import anywhere, spread
from bench.stage import Stage

CLIENTS = 16
WRITERS = 4
PAUSE = 0.02
"""Seconds between a writer's sends. 4 writers make about 180 sends a second: one per conversation every 6 s."""


@contextmanager
def page_50(stage: Stage) -> Iterator[Plan]:
    asyncio.run(warm(stage.settings(), map(ring, range(stage.scale.ring))))
    ways = [(f"conversations/{ring(number)}/messages/", reader) for number, reader in anywhere(stage)]
    wanted = [request("GET", f"/api/v1/{path}?limit=50", stage.token(reader)) for path, reader in ways]
    theirs = [request("GET", f"/{path}", stage.textbook_token(reader)) for path, reader in ways]
    pages = stage.feed("page_50", stage.api, wanted)

    def page(seconds: float) -> float:
        with writes.playing(clients=WRITERS, pause=PAUSE):
            return pages.play(clients=stage.pace.clients(CLIENTS), seconds=seconds).rate

    writes = spread(stage)
    _check(stage)
    references = {
        "litestar_alone": litestar_alone(stage, CLIENTS),
        "textbook": textbook(stage, "page", CLIENTS, theirs),
    }
    yield Plan("pages/s", {"page": page}, references)


async def warm(settings: Settings, conversations: Iterable[UUID]) -> None:
    """Rebuilds the caches as the worker does: conversations in use have a cache."""
    database = Database(open_engine(settings.libpq_url, pool_size=1))
    redis_client = RedisClient(settings.cache_redis_url, connections=1)
    rebuilder = Rebuilder(database, redis_client, PageCache(max_messages=settings.cache_messages))
    try:
        for conversation in conversations:
            await rebuilder.rebuild(conversation)
    finally:
        await redis_client.close()
        await database.close()


def _check(stage: Stage) -> None:
    """Raises Failed unless the newest page is the newest 50 messages in Postgres."""
    connection = http.client.HTTPConnection("127.0.0.1", stage.api.port, timeout=5)
    headers = {"Authorization": f"Bearer {stage.token(0)}"}
    connection.request("GET", f"/api/v1/conversations/{ring(0)}/messages/?limit=50", headers=headers)
    page = msgspec.json.decode(connection.getresponse().read())
    connection.close()
    last = stage.count(f"SELECT last_seq FROM conversations WHERE id = '{ring(0)}'")
    if [item["seq"] for item in page["items"]] != list(range(last - 49, last + 1)):
        raise Failed("The newest page is not the newest 50 messages.")
