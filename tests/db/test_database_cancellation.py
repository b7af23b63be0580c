"""A cancelled statement stays a cancellation, is no database outage, and returns its connection."""

from __future__ import annotations

import asyncio
import gc

import pytest
from sqlalchemy import text

from app.db import Database, open_engine
from app.settings import Settings


async def test_a_cancelled_statement_is_no_database_outage(settings: Settings) -> None:
    """If it were, the task would continue as if nothing had happened, and its canceller would wait forever."""
    database = Database(open_engine(settings.libpq_url, pool_size=1))

    async def wait() -> None:
        async with database.transaction() as session:
            begun.set()
            await session.execute(text("SELECT pg_sleep(5)"))

    for _ in range(3):
        begun = asyncio.Event()
        waiting = asyncio.create_task(wait())
        await begun.wait()
        await asyncio.sleep(0.1)  # until the server has it: psycopg waits 5 s for one it cannot cancel yet
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        # The pool of one has its connection again.
        async with database.transaction() as session:
            assert await session.scalar(text("SELECT 1")) == 1
    await database.close()


async def test_a_cancelled_read_leaves_no_connection_to_the_garbage_collector(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    async def read() -> None:
        async with database.read_only() as reader:
            await reader.execute(text("SELECT 1"))

    database = Database(open_engine(settings.libpq_url, pool_size=1))
    await read()
    for hops in (0, 1, 2, 3):
        reading = asyncio.create_task(read())
        for _ in range(hops):
            await asyncio.sleep(0)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await asyncio.sleep(0.05)  # until what the cancelled task left behind has ended
        gc.collect()
    await database.close()
    assert [record.getMessage() for record in caplog.records if record.name.startswith("sqlalchemy")] == []
