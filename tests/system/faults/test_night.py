"""Faults at night: each is visible in `/metrics`, `chat queues` and `chat status`, and its cure makes all well."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import psutil
import pytest
import redis
from aiosmtpd.controller import Controller

from app.cli.database import migrate
from app.local.database_roles import OWNER
from app.local.postgres import EmbeddedPostgres
from app.local.processes import free_port
from app.local.valkey import EmbeddedValkey
from app.settings import Settings
from app.wiring import make_celery
from app.wiring.runtime import POOL_SIZE
from tests.support import misbehaving_tasks
from tests.support.client import Answer, Node
from tests.support.mailbox import Mailboxes
from tests.support.operated_chat import Figures, OperatedChat, family, servers, switch
from tests.support.processes import SECRET, Api, processes
from tests.support.servers import public_directory

pytestmark = [pytest.mark.fault, pytest.mark.timeout(300)]
MISBEHAVING: Final = ("tests.support.misbehaving_tasks",)
READ_SECONDS: Final = 5.0
"""Seconds after which a read that Postgres does not answer is refused: docs/operations.md promises them."""


@pytest.fixture(scope="module")
def night() -> Iterator[OperatedChat]:
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
        found = OperatedChat(postgres, valkey, started, started.api(), worker, beat, port)
        found.is_well()
        yield found


@pytest.fixture(autouse=True)
def well_again(night: OperatedChat) -> Iterator[None]:
    yield
    night.is_well()


def test_the_worker_stops(night: OperatedChat) -> None:
    suspended = family(night.worker)
    for process in suspended:
        process.suspend()
    try:
        night.shows(lambda found: found["chat_workers"] == 0)
        night.says("workers: none seen in the last 15 s")
        night.marks("worker", "none seen in the last 15 s; is `chat worker` running?")
        night.shows(lambda found: max(oldest(found)) > 5)  # and its queues are stuck
    finally:
        for process in suspended:
            process.resume()


def test_a_queue_is_stuck(night: OperatedChat) -> None:
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
        night.marks("queues", "waits for")
    finally:
        for process in children:
            process.resume()


def test_beat_stops(night: OperatedChat) -> None:
    night.beat.signal(signal.SIGSTOP)
    try:
        night.shows(lambda found: found["chat_beat_last_seconds"] > 30)
        night.says("s ago; is `chat beat` running?")
        night.marks("beat", "s ago; is `chat beat` running?")
    finally:
        night.beat.signal(signal.SIGCONT)


async def test_the_mail_server_refuses(night: OperatedChat) -> None:
    node = Node(night.api.url)
    await node.register("Ada")
    await node.close()
    await asyncio.to_thread(
        night.shows, lambda found: found["chat_mail_server_failing"] == 1 and found["chat_mails_postponed"] >= 1
    )
    await asyncio.to_thread(night.says, "of them postponed; the mail server failed", "Connection refused", code=0)
    await asyncio.to_thread(night.marks, "mail", "Connection refused")
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


def test_redis_stops(night: OperatedChat) -> None:
    night.valkey.stop()
    try:
        night.shows(lambda found: found["chat_broker_up"] == 0)
        assert "chat_beat_last_seconds" not in night.metrics(), "it is unknown, and not 0"
        night.says("The broker is unavailable")
        night.marks("redis", "does not answer")
        night.marks("worker", "unknown: Redis does not answer")
    finally:
        night.valkey.start()


def test_redis_refuses_writes(night: OperatedChat) -> None:
    """Worker and beat run, but cannot leave a sign: neither is called gone."""
    with redis.Redis.from_url(night.valkey.url, socket_timeout=5) as client:
        client.execute_command("REPLICAOF", "127.0.0.1", free_port())
        try:
            night.shows(lambda found: found["chat_broker_up"] == 0)
            assert "chat_workers" not in night.metrics()
            night.says("The broker accepts no writes (ReadOnlyError).")
            night.marks("redis", "refuses a write")
            night.marks("worker", "unknown: Redis refuses writes")
            assert "beat" not in night.checks()
        finally:
            client.execute_command("REPLICAOF", "NO", "ONE")


async def test_the_mail_server_refuses_permanently(night: OperatedChat) -> None:
    class Relay:
        async def handle_MAIL(self, *_: object) -> str:
            return "550 5.7.1 Sender not allowed"

    controller = Controller(Relay(), hostname="127.0.0.1", port=night.mail_port)
    controller.start()
    node = Node(night.api.url)
    try:
        for name in ("Ada", "Grace", "Eve"):
            await node.register(name)
        await asyncio.to_thread(
            night.shows,
            lambda found: found['chat_mails_total{outcome="refused"}'] >= 3 and found["chat_mail_server_failing"] == 0,
        )
        await asyncio.to_thread(night.marks, "mail", "mails in the last hour; see `chat mails --state refused`")
        await asyncio.to_thread(night.says, "the mail server refused ", code=0)
    finally:
        controller.stop()
        await node.close()
        with redis.Redis.from_url(night.valkey.url, socket_timeout=5) as client:
            client.delete(*client.scan_iter("chat:work:minute:*"))  # an hour later


async def test_postgres_is_silent_and_the_pool_is_exhausted(night: OperatedChat) -> None:
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
        began = time.monotonic()
        read = await ada.call("GET", "/me/")
        assert (read.problem.status, read.problem.code) == (503, "database_unavailable")
        assert time.monotonic() - began < READ_SECONDS + 3, "the driver alone takes 20 s"
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
        await asyncio.to_thread(night.marks, "postgres", "does not answer, or does not accept writes")
        await asyncio.to_thread(night.marks, "api", "not ready")
    finally:
        for process in suspended:
            process.resume()
        await asyncio.gather(*writes, return_exceptions=True)
        await node.close()


def test_a_full_disk_makes_postgres_read_only(night: OperatedChat) -> None:
    """As providers do before it is full."""
    switch(night.postgres, "on")
    try:
        night.shows(lambda found: found["chat_database_up"] == 0)
        night.says("database: does not answer")
        night.marks("postgres", "does not answer, or does not accept writes")
        night.marks("api", "not ready")
    finally:
        switch(night.postgres, "off")


def test_a_task_fails(night: OperatedChat, tmp_path: Path) -> None:
    make_celery(Settings(redis_url=night.valkey.url, secret_key=SECRET))
    misbehaving_tasks.fails_too.apply_async((str(tmp_path / "ran"),))
    night.shows(lambda found: found["chat_failed_tasks"] >= 1)
    night.says("failed tasks: ", "see `chat tasks failed`", code=0)
    night.marks("failed tasks", "see `chat tasks failed`")


@pytest.mark.parametrize(
    ("name", "value"), [("SENTRY_DSN", "notadsn"), ("SMTP_URL", "mail.example.org"), ("DATABASE_URL", "mysql://one")]
)
def test_a_wrong_setting_is_named_by_every_command(night: OperatedChat, name: str, value: str) -> None:
    for words in ("queues", "status"):
        received = night.command(words, **{name: value})
        assert received.returncode == 2
        assert received.stderr.startswith(f"chat: {name}: ")
    refused = Api([], night.processes.directory, {**night.processes.environment, name: value}, free_port())
    night.processes.keep(refused)
    assert refused.process.wait(60) == 2
    assert not refused.answers("/metrics"), "Prometheus sees `up` at 0"
    assert name in refused.said


def oldest(found: Figures) -> list[float]:
    return [0.0] + [value for name, value in found.items() if name.startswith("chat_queue_oldest_seconds")]
