"""The embedded servers keep what they were given, survive being killed, and leave nothing running."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from app.local import embedded
from app.local.embedded import EmbeddedServers
from app.local.processes import StartRefused, running_in
from tests.support.servers import public_directory


@pytest.fixture
def data_dir() -> Iterator[Path]:
    with public_directory() as directory:
        yield directory


def remember(started: EmbeddedServers, word: str) -> None:
    with psycopg.connect(started.migrate_database_url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (word text)")
        connection.execute("INSERT INTO kept VALUES (%s)", [word])
    with redis.Redis.from_url(started.redis_url, decode_responses=True) as client:
        client.rpush("kept", word)


def remembered(started: EmbeddedServers) -> tuple[list[str], list[str]]:
    with psycopg.connect(started.migrate_database_url) as connection:
        rows = [str(row[0]) for row in connection.execute("SELECT word FROM kept")]
    with redis.Redis.from_url(started.redis_url, decode_responses=True) as client:
        return rows, client.lrange("kept", 0, -1)


def left_running(data_dir: Path) -> list[psutil.Process]:
    return running_in(data_dir / "postgres" / "data", "postgres") + running_in(data_dir / "valkey", "valkey-server")


def test_data_survives_a_restart(data_dir: Path) -> None:
    for word in ("first", "second"):
        started = embedded.start(data_dir)
        try:
            remember(started, word)
        finally:
            started.stop()
    started = embedded.start(data_dir)
    try:
        assert remembered(started) == (["first", "second"], ["first", "second"])
    finally:
        started.stop()
    assert left_running(data_dir) == []


def test_a_start_ends_the_servers_of_a_killed_run(data_dir: Path) -> None:
    abandoned = embedded.start(data_dir)
    remember(abandoned, "before the crash")
    assert abandoned.postgres and abandoned.postgres.process and abandoned.valkey and abandoned.valkey.process
    started = embedded.start(data_dir)
    try:
        assert abandoned.postgres.process.wait(5) is not None
        assert abandoned.valkey.process.wait(5) is not None
        assert remembered(started) == (["before the crash"], ["before the crash"])
    finally:
        started.stop()


def test_a_stale_pid_file_does_not_stop_the_start(data_dir: Path) -> None:
    embedded.start(data_dir, redis=False).stop()
    note = data_dir / "postgres" / "data" / "postmaster.pid"
    note.write_text(f"{os.getpid()}\n{note.parent}\n0\n5432\n\n127.0.0.1\n\nready\n")
    started = embedded.start(data_dir, redis=False)
    started.stop()


def test_a_start_killed_while_creating_the_data_starts_over(data_dir: Path) -> None:
    half_made = data_dir / "postgres" / "data.new"
    half_made.mkdir(parents=True)
    (half_made / "PG_VERSION").write_text("18\n")
    started = embedded.start(data_dir, redis=False)
    try:
        remember_nothing = psycopg.connect(started.migrate_database_url)
        remember_nothing.close()
    finally:
        started.stop()


def test_a_server_that_exited_is_revived_on_its_port(data_dir: Path) -> None:
    started = embedded.start(data_dir)
    try:
        before = (started.database_url, started.redis_url)
        remember(started, "kept")
        assert started.revive() == []
        assert started.postgres and started.postgres.process and started.valkey and started.valkey.process
        for process in (started.postgres.process, started.valkey.process):
            process.send_signal(signal.SIGQUIT if process is started.postgres.process else signal.SIGTERM)
            process.wait(10)
        assert started.revive() == ["Postgres", "Valkey"]
        assert (started.database_url, started.redis_url) == before
        assert remembered(started) == (["kept"], ["kept"])
    finally:
        started.stop()


def test_both_servers_listen_on_loopback_and_require_a_password(data_dir: Path) -> None:
    started = embedded.start(data_dir)
    try:
        assert started.postgres and started.postgres.process and started.valkey and started.valkey.process
        for process in (started.postgres.process, started.valkey.process):
            listening = [c for c in psutil.Process(process.pid).net_connections() if c.status == psutil.CONN_LISTEN]
            assert {c.laddr.ip for c in listening} == {"127.0.0.1"}
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(f"postgresql://chat@127.0.0.1:{started.postgres.port}/chat", connect_timeout=3)
        with (
            redis.Redis(port=started.valkey.port, socket_timeout=3) as client,
            pytest.raises(redis.AuthenticationError),
        ):
            client.ping()
        for file in (data_dir / "postgres" / "password", data_dir / "valkey" / "password"):
            assert file.stat().st_mode & 0o077 == 0
    finally:
        started.stop()


def test_data_of_another_postgres_version_is_refused_and_left_alone(data_dir: Path) -> None:
    data = data_dir / "postgres" / "data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("11\n")
    with pytest.raises(StartRefused, match="written by Postgres 11"):
        embedded.start(data_dir, redis=False)


def test_a_queue_is_never_evicted_when_memory_is_full(data_dir: Path) -> None:
    started = embedded.start(data_dir, postgres=False)
    try:
        with redis.Redis.from_url(started.redis_url, socket_timeout=5) as client:
            client.rpush("queue", "task")
            client.config_set("maxmemory", "3mb")
            for number in range(200):
                client.set(f"cache:{number}", b"x" * 50_000, ex=86_400)
            assert client.lrange("queue", 0, -1) == [b"task"]
            assert client.dbsize() < 100
    finally:
        started.stop()
