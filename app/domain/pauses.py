"""Giving the database's connection back while something slow happens, and taking one again afterwards.

A login hashes for tens of milliseconds, and waits for its turn before that. Holding a connection meanwhile would let
a flood of logins take the whole pool from everybody else, and idle transactions are ended by Postgres.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.errors import Unavailable
from app.domain.events import recorded


@asynccontextmanager
async def paused(session: AsyncSession) -> AsyncIterator[None]:
    """No connection inside the block, another transaction after it. Only before the first write.

    What was read before may have changed since: whoever acts on it asks again.

    Raises:
        Unavailable: no connection was to be had afterwards.
    """
    assert not recorded(session), "something was written before the pause, and would be lost"
    await session.rollback()
    yield
    try:
        await session.connection()
    except PoolTimeout as error:
        raise Unavailable("database_unavailable", "The database is away: try again.") from error
