"""Advisory locks: every key in one place, and the only calls that take one.

Postgres has one key space per database, so two features that choose the same number block each other. No other module
writes such a number or calls `pg_advisory…`; `tests/test_layout.py` checks both.

A lock taken here is held until the transaction ends. Migrations hold theirs as long as their connection
(`alembic/env.py`).
"""

from __future__ import annotations

from enum import IntEnum, unique

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession


@unique
class AdvisoryLock(IntEnum):
    """Keys. A key never changes its meaning: during an upgrade, old and new processes share the database."""

    MIGRATIONS = 7_240_311
    """One process migrates at a time."""

    THROTTLE_POLICIES = 7_240_312
    """Changes of throttle policies are serialized."""

    BROADCAST_NUMBERS = 7_240_313
    """Broadcast numbers become visible in order."""

    THROTTLE_ARRIVALS = 7_240_314
    """One worker at a time adds throttle counts."""

    FIRST_OPERATOR = 7_240_315
    """The link of a fresh chat creates one operator."""


async def acquire(session: AsyncSession, lock: AdvisoryLock) -> None:
    """Waits for `lock` and holds it until the transaction ends. Raises Unavailable `busy` after one second."""
    await session.execute(select(func.pg_advisory_xact_lock(int(lock))))


async def try_acquire(session: AsyncSession, lock: AdvisoryLock) -> bool:
    """Takes `lock` until the transaction ends if it is free. Returns False if another transaction holds it."""
    return bool(await session.scalar(select(func.pg_try_advisory_xact_lock(int(lock)))))
