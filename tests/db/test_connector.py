"""A pooler that gives each transaction another session is refused; one that keeps them is as good as none."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from sqlalchemy import text

from app.db import Database, open_engine
from app.db.connector import PoolerRefused, pooler_refusal
from app.domain.locks import AdvisoryLock
from app.settings import environment_for_child
from tests.support.pooler import Mode, Pooler
from tests.support.processes import ROOT

pytestmark = [pytest.mark.fault, pytest.mark.timeout(120)]


@contextmanager
def pooled(url: str, mode: Mode) -> Iterator[str]:
    pooler = Pooler(url, mode)
    pooler.start()
    try:
        yield pooler.through
    finally:
        pooler.stop()


def command(verb: str, database_url: str) -> subprocess.CompletedProcess[str]:
    environment = environment_for_child(
        DATABASE_URL=database_url, REDIS_URL="redis://127.0.0.1:1", LOG_FILE="", PORT="1"
    )
    return subprocess.run(
        [sys.executable, "-m", "app.cli", verb],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("verb", ["api", "worker"])
def test_a_transaction_pooler_stops_the_start_with_a_sentence(fresh_database_url: str, verb: str) -> None:
    with pooled(fresh_database_url, "transaction") as url:
        ended = command(verb, url)
    assert ended.returncode == 1
    assert "pool_mode = session" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert url not in ended.stderr


async def test_connections_of_a_transaction_pooler_are_never_used(fresh_database_url: str) -> None:
    with pooled(fresh_database_url, "transaction") as url:
        database = Database(open_engine(url, pool_size=1))
        with pytest.raises(PoolerRefused) as refused:
            async with database.read_only():
                pass
        assert refused.value.code == "database_unavailable"
        await database.close()


async def test_the_timeouts_hold_through_a_session_pooler(fresh_database_url: str) -> None:
    with pooled(fresh_database_url, "session") as url:
        assert await pooler_refusal(url) == ""
        database = Database(open_engine(url, pool_size=2))
        async with database.transaction() as session:
            assert (await session.execute(text("SHOW lock_timeout"))).scalar_one() == "1s"
        async with database.read_only() as connection:
            assert (await connection.execute(text("SHOW transaction_timeout"))).scalar_one() == "15s"
        await database.close()


async def test_an_unreachable_database_is_not_reported_as_unfit() -> None:
    assert await pooler_refusal("postgresql://chat@127.0.0.1:1/chat") == ""


def test_a_migration_through_a_pooler_leaves_no_lock_and_no_setting(empty_database_url: str) -> None:
    with pooled(empty_database_url, "transaction") as url:
        for _ in range(2):
            ended = command("migrate", url)
            assert (ended.returncode, ended.stderr) == (0, "")
        # The pooler's sessions are open still.
        with psycopg.connect(empty_database_url) as connection:
            held = connection.execute(
                "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = %s",
                [int(AdvisoryLock.MIGRATIONS)],
            ).fetchone()
        with psycopg.connect(url, prepare_threshold=None) as connection:
            setting = connection.execute("SHOW lock_timeout").fetchone()
    assert (held, setting) == ((0,), ("0",))
