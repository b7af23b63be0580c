"""A single statement is its own transaction: it is acknowledged only after its commit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import text

from app.db import Database
from app.domain.errors import OutcomeUnknown, Unavailable
from app.domain.messages.send import send_batch
from tests.support.drafts import draft
from tests.support.scene import Scene


def count(database_url: str, conversation: UUID) -> int:
    """As another connection sees it: what is committed."""
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT count(*) FROM messages WHERE conversation_id = %s", [conversation]).fetchone()
    assert row is not None
    return int(row[0])


@pytest.fixture(params=[0, 2], ids=["of the pool", "kept"])
async def database(database: Database, request: pytest.FixtureRequest) -> AsyncIterator[Database]:
    """Connections go back to the pool after each use, or stay."""
    opened = Database(database.engine, database.publish, keep=request.param)
    yield opened
    await opened.close()


async def send(database: Database, scene: Scene) -> None:
    async with database.autocommit() as single:
        await send_batch(single, [draft(scene.conversation, scene.ada, "text", "hello")])


async def test_a_single_statement_is_committed_when_it_returns(
    database: Database, database_url: str, scene: Scene
) -> None:
    await send(database, scene)
    assert count(database_url, scene.conversation) == 1


async def test_connections_closed_in_the_pool_fail_no_send(database: Database, database_url: str, scene: Scene) -> None:
    await send(database, scene)
    async with database.autocommit(), database.autocommit():
        pass  # two wait for their next use
    with psycopg.connect(database_url, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name = 'chat'"
        )
    for _ in range(3):
        await send(database, scene)
    # The new ones commit by themselves, too.
    assert count(database_url, scene.conversation) == 4


async def test_a_connection_that_always_looks_ended_is_used_at_last(
    database: Database, database_url: str, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.db.autocommit._has_ended", lambda _: True)
    await send(database, scene)
    assert count(database_url, scene.conversation) == 1


async def test_a_send_inside_an_open_transaction_is_not_acknowledged(
    database: Database, database_url: str, scene: Scene
) -> None:
    async def send_inside(database: Database) -> None:
        async with database.autocommit() as single:
            await single._connection.set_autocommit(False)
            await send_batch(single, [draft(scene.conversation, scene.ada, "text", "hello")])

    with pytest.raises(OutcomeUnknown):
        await send_inside(database)
    assert count(database_url, scene.conversation) == 0
    await send(database, scene)
    assert count(database_url, scene.conversation) == 1


async def test_a_busy_row_and_a_lost_connection_are_different_errors(database: Database) -> None:
    with pytest.raises(Unavailable) as busy:
        async with database.autocommit() as single:
            await single.execute(text("DO $$ BEGIN RAISE SQLSTATE '55P03'; END $$"), {})
    assert busy.value.code == "busy"
    with pytest.raises(OutcomeUnknown):
        async with database.autocommit() as single:
            await single.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"), {})
    async with database.autocommit() as single:
        assert (await single.execute(text("SELECT 1 AS one"), {}))[0].one == 1


async def test_kept_connections_are_bounded_and_reused(database: Database, database_url: str) -> None:
    keeps = database._autocommit_pool._keep

    async def backend() -> int:
        async with database.autocommit() as single:
            return int((await single.execute(text("SELECT pg_backend_pid() AS pid"), {}))[0].pid)

    async with database.autocommit(), database.autocommit(), database.autocommit():
        pass
    assert len(database._autocommit_pool._kept) == keeps
    assert len({await backend() for _ in range(5)}) == 1
    await database.close()
    assert database._autocommit_pool._kept == []


async def test_a_cancelled_statement_leaves_a_usable_connection(database: Database) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1), database.autocommit() as single:
            await single.execute(text("SELECT pg_sleep(5)"), {})
    async with database.autocommit() as single:
        assert (await single.execute(text("SELECT 1 AS one"), {}))[0].one == 1
