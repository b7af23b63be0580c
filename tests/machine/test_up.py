"""`chat up` starts all or nothing, revives what falls, and leaves nothing running, however it ends."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from app.local.processes import running_in
from tests.support.chat import ChatUp, alive, chat_up, until
from tests.support.servers import public_directory

pytestmark = [pytest.mark.machine, pytest.mark.timeout(240)]
STOP_SECONDS = 10


@pytest.fixture
def data_dir() -> Iterator[Path]:
    with public_directory() as directory:
        yield directory / "data"


def test_it_runs_alone_revives_what_falls_and_ends_with_ctrl_c(data_dir: Path) -> None:
    with chat_up(data_dir) as chat:
        chat.wait_ready()
        assert {verb for verb in ("api", "worker", "beat") if chat.children(verb)} == {"api", "worker", "beat"}

        with chat_up(data_dir) as second:
            assert second.process.wait(30) == 1
            assert f"A chat is running on {data_dir} already (process {chat.process.pid})" in second.said
        assert chat.answers()

        fallen = [*chat.children("worker"), *chat.children("api")]
        pool = [
            process for process in chat.family() if process not in chat.children() and "worker" in process.cmdline()
        ]
        for process in fallen:
            process.kill()
        until(lambda: bool(chat.children("worker") and chat.children("api")) and chat.answers(), 60)
        assert alive(fallen + pool) == []

        everything = chat.family()
        assert chat.stop(signal.SIGINT) < STOP_SECONDS
        assert chat.process.returncode == 0
        assert alive(everything) == []
        assert sorted(file.name for file in data_dir.iterdir() if file.is_file()) == ["secret_key", "up.lock"]


def test_after_a_kill_nothing_lives_on_and_the_next_start_has_the_data(data_dir: Path) -> None:
    with chat_up(data_dir) as chat:
        chat.wait_ready()
        everything = chat.family()
        with psycopg.connect(database_of(chat)) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 'before the crash' AS word")
        # One that cannot hear the kernel's message: it holds the port until somebody ends it.
        (frozen,) = chat.children("api")
        frozen.suspend()
        chat.process.kill()
        chat.process.wait()
        until(lambda: alive(everything) in ([], [frozen]), STOP_SECONDS)
    with chat_up(data_dir, port=chat.port) as chat:
        chat.wait_ready()
        assert alive([frozen]) == []
        with psycopg.connect(database_of(chat)) as connection:
            assert connection.execute("SELECT word FROM kept").fetchone() == ("before the crash",)
        everything = chat.family()
        assert chat.stop(signal.SIGTERM) < STOP_SECONDS
        assert chat.process.returncode == 0
        assert alive(everything) == []


def test_a_port_that_is_taken_is_named_before_anything_is_started(data_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with chat_up(data_dir, port=port) as chat:
            assert chat.process.wait(30) == 1
            assert f"Port {port} is in use" in chat.said
            assert "Traceback" not in chat.said
    assert not (data_dir / "postgres").exists()
    assert not (data_dir / "valkey").exists()


def test_servers_that_are_given_replace_the_embedded_ones(
    data_dir: Path, fresh_database_url: str, empty_redis_url: str
) -> None:
    with chat_up(data_dir, DATABASE_URL=fresh_database_url, REDIS_URL=empty_redis_url) as chat:
        chat.wait_ready()
        assert not (data_dir / "postgres").exists()
        assert not (data_dir / "valkey").exists()
        assert chat.stop(signal.SIGHUP) < STOP_SECONDS


def test_a_database_that_cannot_be_reached_is_a_sentence_and_ends_the_start(
    data_dir: Path, empty_redis_url: str
) -> None:
    nowhere = "postgresql://chat@127.0.0.1:9/chat"
    with chat_up(data_dir, DATABASE_URL=nowhere, REDIS_URL=empty_redis_url) as chat:
        assert chat.process.wait(60) == 1
        assert "chat: The database could not be migrated" in chat.said


def test_production_does_not_start_on_a_weak_secret(data_dir: Path) -> None:
    with chat_up(data_dir, ENVIRONMENT="production", SECRET_KEY="too-short") as chat:
        assert chat.process.wait(30) == 2
        assert "chat: SECRET_KEY: shorter than 32 characters" in chat.said
    assert not (data_dir / "postgres").exists()


def database_of(chat: ChatUp) -> str:
    (server,) = (p for p in running_in(chat.data_dir / "postgres" / "data", "postgres") if "-p" in p.cmdline())
    words = server.cmdline()
    password = (chat.data_dir / "postgres" / "password").read_text()
    return f"postgresql://chat:{password}@127.0.0.1:{words[words.index('-p') + 1]}/chat"
