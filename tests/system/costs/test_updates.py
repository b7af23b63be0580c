"""A send updates two rows in place: their new versions stay on their page, and no index hears of them.

An index on what every send changes (a time, a cursor) would make each of them an insert into all indexes."""

from __future__ import annotations

import msgspec
import psycopg
import pytest

from app.settings import Settings
from tests.support.nodes import eventually
from tests.system.costs.conftest import chatting

SENDS = 300
STATISTICS = "SELECT relname, n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = ANY(%s)"
TABLES = ["conversations", "memberships"]


@pytest.fixture
async def updates(settings: Settings, fresh_database_url: str) -> dict[str, tuple[int, int]]:
    """By table: all updates of `SENDS` sends, and those that were heap-only."""
    async with chatting(msgspec.structs.replace(settings, database_url=fresh_database_url)) as chat:
        ada = await chat.person("Ada")
        group = await chat.group(ada, await chat.person("Grace"))
        for _ in range(SENDS):
            await chat.send(group, ada)
    # Its connections have ended, and with them went what they had counted.
    with psycopg.connect(fresh_database_url, autocommit=True) as connection:

        def found() -> dict[str, tuple[int, int]] | None:
            rows = {table: (every, hot) for table, every, hot in connection.execute(STATISTICS, [TABLES])}
            return rows if all(every >= SENDS for every, _ in rows.values()) else None

        counted: dict[str, tuple[int, int]] = await eventually(found)
        return counted


async def test_nine_of_ten_updates_of_a_send_are_heap_only(updates: dict[str, tuple[int, int]]) -> None:
    """The tenth is for the moments, one in ten seconds, at which the indexed time of activity moves on."""
    shares = {table: hot / every for table, (every, hot) in updates.items()}
    assert updates.keys() == set(TABLES)
    assert [table for table, share in shares.items() if share < 0.9] == [], shares
