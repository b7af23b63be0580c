"""Ten faults at night: each is visible in `/metrics` and in `chat queues`, and its cure makes both well again."""

from __future__ import annotations

import asyncio
import http.client
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from math import nan
from pathlib import Path
from typing import Final

import msgspec
import psutil
import pytest
from aiosmtpd.controller import Controller

from app.cli.database import migrate
from app.local.database_roles import OWNER
from app.local.postgres import EmbeddedPostgres
from app.local.processes import free_port
from app.local.valkey import EmbeddedValkey
from app.settings import Settings
from app.wiring import POOL_SIZE, make_celery
from tests.support import misbehaving_tasks
from tests.support.chat import until
from tests.support.client import Answer, Node
from tests.support.mailbox import Mailboxes
from tests.support.processes import ROOT, SECRET, Api, Process, Processes, processes
from tests.support.servers import public_directory

pytestmark = [pytest.mark.fault, pytest.mark.timeout(300)]
MISBEHAVING: Final = ("tests.support.misbehaving_tasks",)
WITHIN: Final = 60.0
"""Seconds in which a fault must be seen: what the issue asks for."""


class Figures(dict[str, float]):
    """What a scrape returned. A missing metric compares with nothing."""

    def __missing__(self, name: str) -> float:
        return nan


class Night(msgspec.Struct, frozen=True):
    """A whole chat, whose parts may be broken one by one."""

    postgres: EmbeddedPostgres
    valkey: EmbeddedValkey
    processes: Processes
    api: Api
    worker: Process
    beat: Process
    mail_port: int

    def queues(self, **environment: str) -> subprocess.CompletedProcess[str]:
        """`chat queues` as an operator types it."""
        return subprocess.run(
            [sys.executable, "-m", "app.cli", "queues"],
            cwd=ROOT,
            env={"PATH": "/usr/bin:/bin", **self.processes.environment, **environment},
            capture_output=True,
            text=True,
            timeout=60,
        )

    def metrics(self) -> Figures:
        connection = http.client.HTTPConnection("127.0.0.1", self.api.port, timeout=10)
        try:
            connection.request("GET", "/metrics")
            text = connection.getresponse().read().decode()
        finally:
            connection.close()
        lines = [line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#")]
        return Figures({name: float(value) for name, _, value in lines})

    def shows(self, condition: Callable[[Figures], bool]) -> None:
        """Waits until the metrics are so."""
        until(lambda: condition(self.metrics()), WITHIN, lambda: sorted(self.metrics().items()))

    def says(self, *sentences: str, code: int = 1) -> None:
        """Waits until `chat queues` says all of these, and ends with this code."""
        last: list[str] = []

        def said() -> bool:
            received = self.queues()
            last[:] = [received.stdout + received.stderr, str(received.returncode)]
            return received.returncode == code and all(sentence in last[0] for sentence in sentences)

        until(said, WITHIN, lambda: last)

    def is_well(self) -> None:
        """Nothing is left of a fault but failed tasks and postponed mails, which have their own cures."""
        self.says("workers: celery@", "beat: seen", code=0)
        self.shows(
            lambda found: (found["chat_broker_up"], found["chat_database_up"], found["chat_workers"]) == (1, 1, 1)
        )


@pytest.fixture(scope="module")
def night() -> Iterator[Night]:
    with public_directory() as directory, ExitStack() as stack:
        postgres = EmbeddedPostgres(directory / "postgres", options={"fsync": "off", "shared_buffers": "64MB"})
        valkey = EmbeddedValkey(directory / "valkey")
        for server in (postgres, valkey):
            stack.callback(server.stop)
            server.start()
        urls = (postgres.url(role=OWNER), postgres.url())
        migrate(*(url.replace("postgresql:", "postgresql+psycopg:", 1) for url in urls))
        started = stack.enter_context(processes(directory, postgres.url(), valkey.url))
        port = free_port()
        started.environment["SMTP_URL"] = f"smtp://127.0.0.1:{port}"
        worker, beat = started.worker(concurrency=2, program=MISBEHAVING), started.beat()
        found = Night(postgres, valkey, started, started.api(), worker, beat, port)
        found.is_well()
        yield found


@pytest.fixture(autouse=True)
def well_again(night: Night) -> Iterator[None]:
    yield
    night.is_well()


def test_the_worker_stops(night: Night) -> None:
    suspended = family(night.worker)
    for process in suspended:
        process.suspend()
    try:
        night.shows(lambda found: found["chat_workers"] == 0)
        night.says("workers: none seen in the last 15 s")
        night.shows(lambda found: max(oldest(found)) > 5)  # and its queues are stuck
    finally:
        for process in suspended:
            process.resume()


def test_a_queue_is_stuck(night: Night) -> None:
    """Every process of the worker is busy; the worker itself is alive."""
    queue = 'chat_queue_waiting{queue="analytics"}'
    children = psutil.Process(night.worker.process.pid).children()
    for process in children:
        process.suspend()
    try:
        night.shows(lambda found: found["chat_workers"] == 1 and max(oldest(found)) > 10)
        assert queue in night.metrics()
        received = night.queues().stdout
        ages = [int(line.split()[2]) for line in received.splitlines() if line.split()[3:4] == ["s"]]
        assert max(ages) > 5, received
    finally:
        for process in children:
            process.resume()


def test_beat_stops(night: Night) -> None:
    night.beat.signal(signal.SIGSTOP)
    try:
        night.shows(lambda found: found["chat_beat_last_seconds"] > 30)
        night.says("s ago; is `chat beat` running?")
    finally:
        night.beat.signal(signal.SIGCONT)


async def test_the_mail_server_refuses(night: Night) -> None:
    node = Node(night.api.url)
    await node.register("Ada")
    await node.close()
    await asyncio.to_thread(
        night.shows, lambda found: found["chat_mail_server_failing"] == 1 and found["chat_mails_postponed"] >= 1
    )
    await asyncio.to_thread(night.says, "of them postponed; the mail server failed", "Connection refused", code=0)
    assert (await asyncio.to_thread(night.metrics))['chat_mails_total{outcome="postponed"}'] >= 1
    mailboxes = Mailboxes()
    controller = Controller(mailboxes, hostname="127.0.0.1", port=night.mail_port)
    controller.start()
    try:
        node = Node(night.api.url)
        await node.register("Grace")
        await node.close()
        await asyncio.to_thread(night.shows, lambda found: found["chat_mail_server_failing"] == 0)
    finally:
        controller.stop()


def test_redis_stops(night: Night) -> None:
    night.valkey.stop()
    try:
        night.shows(lambda found: found["chat_broker_up"] == 0)
        assert "chat_beat_last_seconds" not in night.metrics(), "it is unknown, and not 0"
        night.says("The broker is unavailable")
    finally:
        night.valkey.start()


async def test_postgres_is_silent_and_the_pool_is_exhausted(night: Night) -> None:
    node = Node(night.api.url)
    ada = await node.register("Ada")
    size = (await asyncio.to_thread(night.metrics))['chat_database_pool_size{pool="requests"}']
    assert size > POOL_SIZE
    suspended = servers(night.postgres)
    for process in suspended:
        process.suspend()
    writes: list[asyncio.Task[Answer]] = []

    def write() -> None:
        body = {"first_name": f"Ada{len(writes)}"}
        writes.append(asyncio.create_task(ada.call("PATCH", "/me/", body)))

    try:
        read = await ada.call("GET", "/me/")
        assert (read.problem.status, read.problem.code) == (503, "database_unavailable")
        for _ in range(int(size) + 3):
            write()
        await asyncio.to_thread(night.shows, lambda found: found["chat_database_up"] == 0)
        await asyncio.to_thread(
            night.shows,
            lambda found: (
                found['chat_database_pool_waiting{pool="requests"}'] > 0
                or found["chat_database_pool_timeouts_total"] > 0
            ),
        )
        await asyncio.to_thread(night.says, "database: does not answer")
    finally:
        for process in suspended:
            process.resume()
        await asyncio.gather(*writes, return_exceptions=True)
        await node.close()


def test_a_full_disk_makes_postgres_read_only(night: Night) -> None:
    """As providers do before it is full."""
    switch(night.postgres, "on")
    try:
        night.shows(lambda found: found["chat_database_up"] == 0)
        night.says("database: does not answer")
    finally:
        switch(night.postgres, "off")


def test_a_task_fails(night: Night, tmp_path: Path) -> None:
    make_celery(Settings(redis_url=night.valkey.url, secret_key=SECRET))
    misbehaving_tasks.fails_too.apply_async((str(tmp_path / "ran"),))
    night.shows(lambda found: found["chat_failed_tasks"] >= 1)
    night.says("failed tasks: ", "see `chat tasks failed`", code=0)


@pytest.mark.parametrize(
    ("name", "value"), [("SENTRY_DSN", "notadsn"), ("SMTP_URL", "mail.example.org"), ("DATABASE_URL", "mysql://one")]
)
def test_a_wrong_setting_is_named_by_every_command(night: Night, name: str, value: str) -> None:
    received = night.queues(**{name: value})
    assert received.returncode == 2
    assert received.stderr.startswith(f"chat: {name}: ")
    refused = Api([], night.processes.directory, {**night.processes.environment, name: value}, free_port())
    night.processes.keep(refused)
    assert refused.process.wait(60) == 2
    assert not refused.answers("/metrics"), "Prometheus sees `up` at 0"
    assert name in refused.said


def oldest(found: Figures) -> list[float]:
    return [0.0] + [value for name, value in found.items() if name.startswith("chat_queue_oldest_seconds")]


def family(process: Process) -> list[psutil.Process]:
    head = psutil.Process(process.process.pid)
    return [head, *head.children(recursive=True)]


def servers(postgres: EmbeddedPostgres) -> list[psutil.Process]:
    assert postgres.process is not None
    server = psutil.Process(postgres.process.pid)
    return [server, *server.children(recursive=True)]


def switch(postgres: EmbeddedPostgres, value: str) -> None:
    with postgres.connect() as connection:
        connection.execute(b"SET default_transaction_read_only = off")
        connection.execute(f"ALTER SYSTEM SET default_transaction_read_only = {value}".encode())
        connection.execute(b"SELECT pg_reload_conf()")
