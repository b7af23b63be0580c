"""Advisory locks: every key in one place, and the only calls that take one.

Postgres keeps one space of keys for a whole database, so two features that choose the same number block each other. No
other module writes such a number or calls `pg_advisory…`; `tests/test_layout.py` checks both.

A lock taken here lasts until the transaction ends. Migrations take theirs for the length of their connection
(`alembic/env.py`).
"""

from __future__ import annotations

from enum import IntEnum, unique

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession


@unique
class AdvisoryLock(IntEnum):
    """Keys. A key keeps its meaning for ever: during an upgrade, old and new processes share the database."""

    MIGRATIONS = 7_240_311
    """One process migrates at a time."""

    THROTTLE_POLICIES = 7_240_312
    """Changes of throttle policies happen one after the other."""

    BROADCAST_NUMBERS = 7_240_313
    """Broadcast numbers become visible in their order."""

    THROTTLE_ARRIVALS = 7_240_314
    """One worker at a time adds throttle counts."""


async def acquire(session: AsyncSession, lock: AdvisoryLock) -> None:
    """Wait for `lock` and hold it until the transaction ends. Raises Busy after `lock_timeout`, one second."""
    await session.execute(select(func.pg_advisory_xact_lock(int(lock))))


async def try_acquire(session: AsyncSession, lock: AdvisoryLock) -> bool:
    """Take `lock` until the transaction ends, if it is free. False: another transaction holds it."""
    return bool(await session.scalar(select(func.pg_try_advisory_xact_lock(int(lock)))))
