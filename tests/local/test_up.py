"""`chat up` starts all or nothing, revives what falls, and leaves nothing running, however it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from app.local import up
from app.local.processes import running_in
from app.settings import Settings, environment_for_child
from tests.support.chat import ROOT, ChatUp, alive, chat_up, commands, until
from tests.support.servers import count, public_directory

pytestmark = [pytest.mark.machine, pytest.mark.timeout(240)]
STOP_SECONDS = 10


@pytest.fixture
def data_dir() -> Iterator[Path]:
    with public_directory() as directory:
        yield directory / "the data of 'é' at 100 %20 (d)"


@pytest.fixture
def handlers() -> Iterator[None]:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_chat_up_runs_once_revives_its_processes_and_keeps_the_data_after_a_kill(data_dir: Path) -> None:
    with chat_up(data_dir) as running:
        running.wait_ready()
        steps = re.findall(r"^  (\S.*?) +\d+\.\d s$", running.said, re.MULTILINE)
        assert steps == ["Valkey", "Postgres", "migrations", "API, worker, beat"]
        assert "\x1b" not in running.said
        assert {verb for verb in ("api", "worker", "beat") if running.children(verb)} == {"api", "worker", "beat"}

        with chat_up(data_dir) as second:
            assert second.process.wait(30) == 1
            assert f"A chat is running on {data_dir} already (process {running.process.pid})" in second.said
        assert running.answers()

        assert chat("migrate", running.data_dir, running.port).returncode == 0
        make_operator(running)

        fallen = [*running.children("worker"), *running.children("api")]
        pool = [
            process
            for process in running.family()
            if process not in running.children() and "worker" in process.cmdline()
        ]
        for process in fallen:
            process.kill()
        until(lambda: bool(running.children("worker") and running.children("api")) and running.answers(), 60)
        assert alive(fallen + pool) == []
        assert re.search(r"^\S+Z warning  up      exited: worker \(", running.said, re.MULTILINE)

        everything = running.family()
        with psycopg.connect(database_of(running)) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 'before the crash' AS word")
        # A stopped process cannot handle the kernel's signal: it holds the port until it is killed.
        (frozen,) = running.children("api")
        frozen.suspend()
        running.process.kill()
        running.process.wait()
        until(lambda: alive(everything) in ([], [frozen]), STOP_SECONDS, lambda: commands(everything))

    with chat_up(data_dir, port=running.port) as running:
        running.wait_ready()
        assert alive([frozen]) == []
        # Commands beside it find the port as they find the servers.
        assert f"http://127.0.0.1:{running.port}: ready" in chat("status", running.data_dir, None).stdout
        with psycopg.connect(database_of(running)) as connection:
            assert connection.execute("SELECT word FROM kept").fetchone() == ("before the crash",)
        everything = running.family()
        assert running.stop(signal.SIGINT) < STOP_SECONDS
        assert running.process.returncode == 0
        assert alive(everything) == []
        assert sorted(file.name for file in data_dir.iterdir() if file.is_file()) == ["secret_key", "up.lock"]


@pytest.mark.parametrize(("ignored", "stops"), [(True, False), (False, True)])
def test_a_chat_under_nohup_outlives_its_terminal(
    handlers: None, monkeypatch: pytest.MonkeyPatch, ignored: bool, stops: bool
) -> None:
    requested: list[bool] = []

    def hung_up(_settings: object, _running: object, asked_to_stop: object) -> None:
        os.kill(os.getpid(), signal.SIGHUP)
        requested.append(asked_to_stop.is_set())  # type: ignore[attr-defined]

    signal.signal(signal.SIGHUP, signal.SIG_IGN if ignored else signal.SIG_DFL)
    monkeypatch.setattr(up, "_run", hung_up)
    assert up.run(Settings()) == 0
    assert requested == [stops]


def test_a_port_in_use_is_named_before_any_start(data_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with chat_up(data_dir, port=port) as running:
            assert running.process.wait(30) == 1
            assert f"Port {port} is in use" in running.said
            assert "Traceback" not in running.said
    assert not (data_dir / "postgres").exists()
    assert not (data_dir / "valkey").exists()


def test_configured_servers_replace_the_embedded_ones(
    data_dir: Path, fresh_database_url: str, fresh_owner_url: str, empty_redis_url: str
) -> None:
    with chat_up(
        data_dir,
        DATABASE_URL=fresh_database_url,
        MIGRATE_DATABASE_URL=fresh_owner_url,
        REDIS_URL=empty_redis_url,
        TERM="xterm",
        NO_COLOR="",
        terminal=True,
    ) as running:
        running.wait_ready()
        # The children's output is a pipe.
        until(lambda: bool(re.search(r"\x1b\[32minfo +\x1b\[0m \S*api", running.said)), 30)
        assert not (data_dir / "postgres").exists()
        assert not (data_dir / "valkey").exists()
        received, messages = demo(running), count(fresh_database_url, "SELECT count(*) FROM messages")
        assert "ada@example.org" in received
        (line,) = re.findall(r"^  (curl .*)$", received, re.MULTILINE)
        listed = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60)
        assert [one["name"] for one in json.loads(listed.stdout)["items"]].count("Engine room") == 1, listed.stderr
        links = set(re.findall(r"http://[^\s,]+/docs[/\w]*", received))
        assert links == {f"http://127.0.0.1:{running.port}/docs{page}" for page in ("", "/socket")}
        assert messages > 20
        assert demo(running) == received
        assert [process.environ()["MIGRATE_DATABASE_URL"] for process in running.children()] == ["", "", ""]
        assert count(fresh_database_url, "SELECT count(*) FROM messages") == messages
        assert running.stop(signal.SIGTERM) < STOP_SECONDS


def test_a_demo_without_a_chat_says_so(data_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    answer = chat("demo", data_dir, port)
    assert answer.returncode == 1
    assert f"Is a chat running on port {port}?" in answer.stdout


def test_an_unreachable_database_ends_the_start_with_a_sentence(data_dir: Path, empty_redis_url: str) -> None:
    nowhere = "postgresql://chat@127.0.0.1:9/chat"
    with chat_up(data_dir, DATABASE_URL=nowhere, REDIS_URL=empty_redis_url) as running:
        assert running.process.wait(60) == 1
        reason = (
            'chat: The database cannot be used: connection to server at "127.0.0.1", port 9 failed: Connection refused'
        )
        assert [line[: len(reason)] for line in running.said.splitlines()] == [
            reason,
            "chat: The migration failed for the reason shown above."[: len(reason)],
        ]


def test_production_does_not_start_with_a_weak_secret(data_dir: Path) -> None:
    with chat_up(data_dir, ENVIRONMENT="production", SECRET_KEY="too-short") as running:
        assert running.process.wait(30) == 2
        assert "chat: SECRET_KEY: shorter than 32 characters" in running.said
    assert not (data_dir / "postgres").exists()


def demo(running: ChatUp) -> str:
    answer = chat("demo", running.data_dir, running.port)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout


def make_operator(running: ChatUp) -> None:
    refused = chat("create-operator root@example.org", running.data_dir, running.port, typed="password\n")
    assert refused.returncode == 1
    assert refused.stderr.startswith("chat: ")
    assert "Traceback" not in refused.stderr
    made = chat("create-operator root@example.org", running.data_dir, running.port, typed="a good long one\n")
    assert made.returncode == 0, made.stderr
    query = "SELECT count(*) FROM users WHERE email = 'root@example.org' AND is_operator"
    assert count(database_of(running), query) == 1


def chat(verb: str, data_dir: Path, port: int | None, typed: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "app.cli", *verb.split()]
    environment = environment_for_child(DATA_DIR=str(data_dir), PORT="" if port is None else str(port))
    return subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=ROOT, env=environment, input=typed)


def database_of(running: ChatUp) -> str:
    (server,) = (p for p in running_in(running.data_dir / "postgres" / "data", "postgres") if "-p" in p.cmdline())
    words = server.cmdline()
    password = (running.data_dir / "postgres" / "password").read_text()
    return f"postgresql://chat:{password}@127.0.0.1:{words[words.index('-p') + 1]}/chat"
