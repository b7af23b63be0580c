"""After faults that come together, each periodic task runs within its period, and the broker's absence is one line."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import msgspec
import psutil
import pytest
import redis

from app.cli.database import migrate
from app.local.database_roles import OWNER
from app.local.postgres import EmbeddedPostgres
from app.local.valkey import EmbeddedValkey
from app.tasks.celery_app import PERIODIC
from tests.support.chat import until
from tests.support.frequent_tasks import PERIOD, noted
from tests.support.processes import Process, processes
from tests.support.servers import public_directory

pytestmark = [pytest.mark.fault, pytest.mark.timeout(180)]
LATE_SECONDS: Final = 5.0
"""How much later than its period a task may end: 1 s until the worker is back, the rest for a busy machine."""
RECONNECT_SECONDS: Final = 4.0


class Stage(msgspec.Struct, frozen=True):
    """Servers that may be stopped, and a worker and a beat that live through it."""

    postgres: EmbeddedPostgres
    valkey: EmbeddedValkey
    worker: Process
    beat: Process
    notes: Path

    def restart_postgres(self, number: signal.Signals) -> None:
        assert self.postgres.process is not None
        self.postgres.process.send_signal(number)
        self.postgres.process.wait(15)
        self.postgres.start()

    def end_connections(self) -> None:
        with self.postgres.connect() as connection:
            connection.execute(
                b"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'chat'"
            )

    def without_redis(self, seconds: float) -> None:
        self.valkey.stop()
        time.sleep(seconds)
        self.valkey.start()

    def client(self) -> redis.Redis:
        return redis.Redis.from_url(self.valkey.url, socket_timeout=5)

    def all_have_run(self, since: float) -> None:
        """Within the period from `since` on, and a little."""
        until(
            lambda: set(noted(self.notes, since)) == set(PERIODIC),
            PERIOD + LATE_SECONDS,
            lambda: f"{noted(self.notes, since)}\n{self.worker.said[-3_000:]}",
        )


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with public_directory() as directory, ExitStack() as stack:
        postgres = EmbeddedPostgres(directory / "postgres", options={"fsync": "off", "shared_buffers": "64MB"})
        valkey = EmbeddedValkey(directory / "valkey")
        for server in (postgres, valkey):
            stack.callback(server.stop)
            server.start()
        urls = (postgres.url(role=OWNER), postgres.url())
        migrate(*(url.replace("postgresql:", "postgresql+psycopg:", 1) for url in urls))
        started = stack.enter_context(processes(directory, postgres.url(), valkey.url))
        notes = directory / "notes"
        notes.touch()
        program = ("tests.support.frequent_tasks", str(notes))
        worker = started.worker(concurrency=2, program=program)
        found = Stage(postgres, valkey, worker, started.beat(program=program), notes)
        until(lambda: set(noted(notes, 0)) == set(PERIODIC), 60, lambda: worker.said[-3_000:])
        yield found


@pytest.fixture(autouse=True)
def lived(stage: Stage) -> Iterator[None]:
    """The same processes go on: one that starts again keeps all periodic tasks waiting."""
    yield
    assert stage.worker.is_running
    assert stage.beat.is_running
    assert "worker_begins_anew" not in stage.worker.said
    assert "Unrecoverable error" not in stage.worker.said


def test_after_restart_crash_outage_and_lost_connections_each_task_runs_within_its_period(stage: Stage) -> None:
    for _ in range(2):
        stage.restart_postgres(signal.SIGINT)
        stage.restart_postgres(signal.SIGQUIT)
        stage.without_redis(1)
        stage.end_connections()
        stage.all_have_run(time.time())


def test_a_broker_that_disappears_while_tasks_run_ends_no_worker(stage: Stage) -> None:
    for process in backends(stage.postgres):
        process.suspend()
    try:
        with stage.client() as client:  # both processes of the worker have a task, which waits for Postgres
            until(lambda: int(client.hlen("unacked")) >= 2, 3 * PERIOD)
        stage.without_redis(1)
    finally:
        for process in backends(stage.postgres):
            process.resume()
    stage.all_have_run(time.time())


def test_after_a_long_outage_the_worker_resumes_at_once_and_has_logged_one_line(stage: Stage) -> None:
    until(lambda: stage.worker.said.count("broker_away") == stage.worker.said.count("broker_back"), 20)
    until(lambda: stage.beat.said.count("broker_away") == stage.beat.said.count("broker_back"), 20)
    before = [len(one.said) for one in (stage.worker, stage.beat)]
    stage.without_redis(14)
    began = time.time()
    with stage.client() as client:
        until(lambda: any(one["cmd"] == "brpop" for one in client.client_list()), RECONNECT_SECONDS)
    stage.all_have_run(began)
    for process, mark in zip((stage.worker, stage.beat), before, strict=True):
        until(lambda mark=mark, process=process: "broker_back" in process.said[mark:], 20)  # type: ignore[misc]
        said = process.said[mark:]
        assert said.count("broker_away") == 1, said
        assert "Traceback" not in said
        assert "DeprecationWarning" not in said


@pytest.mark.parametrize("how", ["read-only", "full"])
def test_a_broker_that_refuses_writes_is_one_log_line_per_process(stage: Stage, how: str) -> None:
    until(lambda: stage.worker.said.count("broker_away") == stage.worker.said.count("broker_back"), 20)
    until(lambda: stage.beat.said.count("broker_away") == stage.beat.said.count("broker_back"), 20)
    before = [len(one.said) for one in (stage.worker, stage.beat)]
    with stage.client() as client:
        if how == "read-only":
            client.execute_command("REPLICAOF", "127.0.0.1", "1")
        else:
            client.config_set("maxmemory-policy", "noeviction")
            client.config_set("maxmemory", "1")
        try:
            time.sleep(3 * PERIOD)
        finally:
            client.execute_command("REPLICAOF", "NO", "ONE")
            client.config_set("maxmemory", str(512 * 1024 * 1024))
    stage.all_have_run(time.time())
    said = [one.said[mark:] for one, mark in zip((stage.worker, stage.beat), before, strict=True)]
    assert said[1].count("broker_away") == 1
    assert said[0].count("broker_away") <= 1  # full, it has nothing to refuse a worker that finds no task
    for one in said:
        assert "Traceback" not in one, one
        assert "Discarding" not in one


def backends(postgres: EmbeddedPostgres) -> list[psutil.Process]:
    """The chat's, but not the server itself: new connections are made, and answer nothing that waits for old ones."""
    assert postgres.process is not None
    server = psutil.Process(postgres.process.pid)
    return [server, *server.children(recursive=True)]
