"""Advisory locks of different features do not block each other."""

from __future__ import annotations

import asyncio

import pytest

from app.db import Database
from app.domain import locks
from app.domain.errors import Unavailable
from app.domain.locks import AdvisoryLock
from app.domain.throttling import usage
from app.domain.throttling.usage_counts import Subjects, UsageBatch
from tests.support.broadcasts import Crowd


async def test_a_broadcast_is_sent_while_throttle_counts_are_added(crowd: Crowd) -> None:
    async with crowd.database.transaction() as session:
        assert await usage.add(session, UsageBatch(id="1", minute=1, counts=[]), Subjects("for tests only"))
        sent = await crowd.plan()
    assert sent.sent_at is not None


async def test_throttle_counts_are_added_while_a_broadcast_is_sent(crowd: Crowd) -> None:
    async with crowd.database.transaction() as session:
        await locks.acquire(session, AdvisoryLock.BROADCAST_NUMBERS)
        async with crowd.database.transaction() as other:
            assert await usage.add(other, UsageBatch(id="2", minute=1, counts=[]), Subjects("for tests only"))


@pytest.mark.parametrize("lock", AdvisoryLock, ids=lambda lock: lock.name)
async def test_a_lock_belongs_to_one_transaction_until_that_ends(crowd: Crowd, lock: AdvisoryLock) -> None:
    async with crowd.database.transaction() as session:
        await locks.acquire(session, lock)
        assert not await _is_free(crowd.database, lock)
        with pytest.raises(Unavailable):
            await asyncio.wait_for(_acquire(crowd.database, lock), 8)
    assert await _is_free(crowd.database, lock)


async def _is_free(database: Database, lock: AdvisoryLock) -> bool:
    async with database.transaction() as session:
        return await locks.try_acquire(session, lock)


async def _acquire(database: Database, lock: AdvisoryLock) -> None:
    async with database.transaction() as session:
        await locks.acquire(session, lock)
