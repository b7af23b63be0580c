"""The worker's task that brings counts to Postgres, step by step, so that it can die between any two."""

from __future__ import annotations

from datetime import UTC, datetime

import redis
from sqlalchemy import text

from app.db import Database
from app.domain.rates import Rate
from app.domain.throttling import usage
from app.domain.throttling.policies import Policies
from app.domain.throttling.reports import Reports
from app.domain.throttling.usage_counts import Subjects
from app.throttling.usage_mover import UsageMover
from tests.support.throttling.clock import Clock
from tests.support.throttling.oracle import MICROSECONDS

MINUTE = 60 * MICROSECONDS


class Desk:
    """The worker's task, step by step, so that it can die between any two."""

    def __init__(self, database: Database, usage_mover: UsageMover) -> None:
        self.database = database
        self.usage_mover = usage_mover
        self.subjects = Subjects("for tests only")

    async def bring(self, dies: str = "", after: int = 0) -> int:
        """What the task does; or up to where it dies, `after` so many minutes have arrived. How many have."""
        arrived = 0
        for minute in await self.usage_mover.open_batches():
            death = dies if arrived == after else ""
            batch = await self.usage_mover.read(minute)
            if death == "reading" or batch is None:
                return arrived
            async with self.database.transaction() as session:
                assert await usage.add(session, batch, self.subjects)
                if death == "committing":
                    await session.rollback()
                    return arrived
            if death == "dropping":
                return arrived
            await self.usage_mover.drop(batch)
            arrived += 1
        return arrived

    def reports(self, rates: dict[str, Rate]) -> Reports:
        return Reports(Policies(rates))


async def rows(desk: Desk, columns: str = "policy, subject, attempts, refused, windows") -> list[tuple[object, ...]]:
    async with desk.database.transaction() as session:
        found = await session.execute(text(f"SELECT {columns} FROM throttle_attempts ORDER BY policy, hour, attempts"))
        return [tuple(row) for row in found]


def keys(url: str, *patterns: str) -> list[str]:
    with redis.Redis.from_url(url, socket_timeout=5) as client:
        return [key.decode() for pattern in patterns for key in client.keys(pattern)]


def today(clock: Clock) -> None:
    """Reports look back from Postgres's clock: the set one begins a few hours before it."""
    now = int(datetime.now(UTC).timestamp())
    clock.advance((now - now % 86_400 - 3 * 86_400) * MICROSECONDS - clock.now)
