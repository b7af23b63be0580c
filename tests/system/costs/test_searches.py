"""Every search uses an index: none scans all users or all conversations."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest
from sqlalchemy import text

from app.db import Database, Session, open_engine
from app.domain.errors import Unavailable
from app.domain.inbox.queries import discover
from app.domain.users.queries import find
from tests.support.scene import group, person
from tests.support.servers import TestPostgres, worker_name
from tests.system.costs.test_rows import Log

MANY = 50_000
MOST_READ = 6_000
"""Rows: a beginning that one in twenty people has is read whole, and nothing is read that is as long as the table."""

PEOPLE = """
    INSERT INTO users (id, email, first_name, last_name, password_hash)
    SELECT lpad(to_hex(n), 32, '0')::uuid, n || '@people.example',
           (ARRAY['Anna', 'Maria', 'José', 'Wei', 'Olga', 'Ali', 'Ivan', 'Noor', 'Kofi', 'Yuki', 'Lars', 'Ines', 'Omar',
                  'Zoe', 'Raj', 'Tove', 'Hana', 'Juan', 'Elif', 'Bao'])[1 + n %% 20],
           initcap(translate(substr(md5(n::text), 1, 9), '0123456789', 'ghijklmnop')), '!'
    FROM generate_series(1, %s) AS n
"""
CONVERSATIONS = """
    INSERT INTO conversations (id, kind, name, is_private, created_by, creator_id)
    SELECT lpad(to_hex(n), 32, '0')::uuid, 'group',
           initcap(translate(substr(md5(n::text), 1, 9), '0123456789', 'ghijklmnop')),
           n %% 2 = 0, creator, creator
    FROM generate_series(1, %s) AS n, (SELECT id AS creator FROM users LIMIT 1) AS somebody
"""


def fill(url: str, many: int) -> None:
    """By the tables' owner: the application's role may not analyze one."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET synchronous_commit = off")
        connection.execute(PEOPLE, [many])
        connection.execute(CONVERSATIONS, [many])
        # Or the trigrams of the last rows lie in a list that every search reads.
        connection.execute("VACUUM ANALYZE users, conversations")


def town_name() -> str:
    return f"chat_{worker_name()}_searches"


@pytest.fixture(scope="module")
async def town(postgres: TestPostgres) -> AsyncIterator[Log]:
    name = town_name()
    url = postgres.create(name)
    database = Database(open_engine(url.replace("postgresql:", "postgresql+psycopg:", 1)))
    ada = await person(database, "Ada")
    own = await group(database, ada)
    try:
        await asyncio.to_thread(fill, postgres.owner_url(name), MANY)
        yield Log(database, ada, own, own)
    finally:
        await database.close()
        postgres.drop(name)


@pytest.fixture
async def owned(town: Log, postgres: TestPostgres) -> AsyncIterator[Log]:
    """The same by the tables' owner, for what is analyzed within a transaction."""
    url = postgres.owner_url(town_name())
    database = Database(open_engine(url.replace("postgresql:", "postgresql+psycopg:", 1)))
    try:
        yield Log(database, town.ada, town.conversation, town.crowd)
    finally:
        await database.close()


@pytest.mark.parametrize(
    "search", ["qx", "an", "jo", "qxz", "ann", "%%", "__", "a b", "x-x-x", "- .", "李明", "ada@x.example"]
)
async def test_a_search_for_people_scans_no_whole_table(town: Log, search: str) -> None:
    plan = await town.explain(find, town.ada, search=search, limit=50, cursor=None)
    assert not plan.whole, plan
    assert sum(rows for _, _, rows in plan.scans) <= MOST_READ, plan


@pytest.mark.parametrize("search", ["q", "qx", "ab", "qxz", "%%%", "x-x", "李", None])
async def test_a_search_for_public_conversations_scans_no_whole_table(town: Log, search: str | None) -> None:
    plan = await town.explain(discover, town.ada.user, search=search)
    assert "conversations" not in plan.whole, plan
    assert sum(rows for _, relation, rows in plan.scans if relation == "conversations") <= MOST_READ, plan


async def test_without_public_conversations_none_of_the_private_ones_is_read(owned: Log) -> None:
    async with owned.database.transaction() as session:
        await session.execute(text("UPDATE conversations SET is_private = true WHERE NOT is_private"))
        await session.execute(text("ANALYZE conversations"))
        plan = await owned.explain_in(session, discover, owned.ada.user)
        await session.rollback()
    assert sum(rows for _, relation, rows in plan.scans if relation == "conversations") <= MOST_READ, plan


async def test_searches_take_two_connections_and_leave_the_others(town: Log) -> None:
    """More wait a second for their turn; then they are refused, and what is no search goes on."""
    begun = asyncio.Event()
    going = 0

    async def slow(session: Session) -> None:
        nonlocal going
        going += 1
        begun.set()
        await asyncio.sleep(1.5)

    searches = [asyncio.create_task(town.database.search(slow)) for _ in range(6)]
    await begun.wait()
    async with asyncio.timeout(1), town.database.transaction() as session:
        await session.execute(text("SELECT 1"))
    answers = await asyncio.gather(*searches, return_exceptions=True)
    refused = [one for one in answers if isinstance(one, Unavailable)]
    assert {one.code for one in refused} == {"search_busy"}
    assert (going, len(refused)) == (2, 4)


async def test_a_slow_search_is_refused_and_the_next_one_is_not(town: Log) -> None:
    async def endless(session: Session) -> None:
        await session.execute(text("SELECT pg_sleep(9)"))

    async with asyncio.timeout(5):
        with pytest.raises(Unavailable) as refused:
            await town.database.search(endless)
    assert refused.value.code == "search_busy"
    found = await town.database.search(find, town.ada, search="anna", limit=50, cursor=None)
    assert len(found.items) == 50


async def test_a_plan_is_made_for_what_is_searched(town: Log) -> None:
    """A plan for every pattern there is reads people from the first one on, until it has found enough: for a name that
    no user has, all of them."""
    for _ in range(8):
        await town.database.search(find, town.ada, search="an", limit=50, cursor=None)

    async def rows_read(session: Session) -> int:
        counted = text("SELECT idx_tup_fetch + seq_tup_read FROM pg_stat_xact_user_tables WHERE relname = 'users'")
        before = (await session.execute(counted)).scalar_one()
        await find(session, town.ada, search="qx", limit=50, cursor=None)
        return int((await session.execute(counted)).scalar_one() - before)

    assert await town.database.search(rows_read) <= MOST_READ
