"""A cancelled statement stays a cancellation and is no database outage."""

from __future__ import annotations

import asyncio

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
