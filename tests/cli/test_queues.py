"""`chat queues` shows the queues, their oldest task and the workers; invalid messages do not stop a queue."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator
from typing import cast

import msgspec
import pytest
import redis

from app.domain.orm import uuid7
from app.settings import Settings
from app.tasks import expiry, mail
from app.tasks.queue_stats import read_stats
from app.wiring import make_celery
from tests.support.chat import until
from tests.support.command import chat
from tests.support.processes import processes
from tests.support.servers import public_directory, run_valkey


class Broker(msgspec.Struct, frozen=True):
    settings: Settings


@pytest.fixture
def broker(settings: Settings) -> Iterator[Broker]:
    """An empty one, without a worker."""
    with run_valkey() as valkey:
        own = msgspec.structs.replace(settings, redis_url=valkey.url, cache_redis_url=valkey.url)
        make_celery(own)
        yield Broker(own)


def command(broker: Broker, **environment: str) -> subprocess.CompletedProcess[str]:
    return chat(broker.settings, "queues", **environment)


def waiting(broker: Broker, kind: str) -> tuple[int, float | None]:
    (found,) = [one for one in read_stats(broker.settings.redis_url).report.queues if one.name == kind]
    return found.waiting, found.oldest


def test_the_command_shows_what_waits_and_since_when(broker: Broker) -> None:
    assert waiting(broker, "notifications") == (0, None)
    mail.send_mail.apply_async((str(uuid7()),))
    time.sleep(1.1)
    for _ in range(2):
        mail.send_mail.apply_async((str(uuid7()),))
    number, oldest = waiting(broker, "notifications")
    assert number == 3
    assert oldest is not None
    assert 1.0 < oldest < 30
    received = command(broker)
    assert received.returncode == 1
    lines = {line.split()[0]: line.split()[1:] for line in received.stdout.splitlines() if line}
    assert lines["notifications"][0] == "3"
    assert lines["upkeep"] == ["0", "–", "0", "0.0", "0", "0"]
    assert "none seen in the last 15 s" in received.stdout


def test_a_worker_is_named_and_empties_the_queue(broker: Broker) -> None:
    mail.send_mail.apply_async((str(uuid7()),))
    with (
        public_directory() as directory,
        processes(directory, broker.settings.database_url, broker.settings.redis_url) as started,
    ):
        started.worker()
        until(lambda: waiting(broker, "notifications")[0] == 0, 20)
        until(lambda: bool(read_stats(broker.settings.redis_url).report.workers), 20)
        received = command(broker)
        assert "workers: celery@" in received.stdout
        assert "beat: no sign yet; is `chat beat` running?" in received.stdout
        assert received.returncode == 1, "without beat nobody is notified"
        started.beat()
        until(lambda: read_stats(broker.settings.redis_url).beat is not None, 60)
        received = command(broker)
        assert received.returncode == 0, received.stdout + received.stderr
        assert re.search(r"^beat: seen \d s ago$", received.stdout, re.MULTILINE)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_without_unicode_shows_the_queues_too(broker: Broker, encoding: str) -> None:
    received = command(broker, PYTHONIOENCODING=encoding)
    assert received.stderr == ""
    lines = {line.split()[0]: line.split()[1:] for line in received.stdout.splitlines() if line}
    assert lines["upkeep"] == ["0", "?", "0", "0.0", "0", "0"]


def test_without_a_chat_on_its_directory_it_says_so(broker: Broker) -> None:
    received = chat(msgspec.structs.replace(broker.settings, database_url="", redis_url=""), "queues")
    assert received.returncode == 2
    assert received.stderr.startswith(f"chat: No chat runs on {broker.settings.data_dir} (DATA_DIR)")
    assert len(received.stderr.splitlines()) == 1


def test_an_unreachable_broker_is_one_sentence(broker: Broker) -> None:
    gone = Broker(msgspec.structs.replace(broker.settings, redis_url="redis://127.0.0.1:1/0"))
    received = command(gone)
    assert received.returncode == 1
    assert received.stderr == "chat: The broker is unavailable (ConnectionError).\n"


def test_a_broker_that_accepts_no_writes_is_one_sentence(broker: Broker) -> None:
    with redis.Redis.from_url(broker.settings.redis_url, socket_timeout=5) as client:
        client.config_set("min-replicas-to-write", 1)
        try:
            received = chat(broker.settings, "queues")
        finally:
            client.config_set("min-replicas-to-write", 0)
    assert (received.returncode, received.stderr) == (1, "chat: The broker accepts no writes (ResponseError).\n")


def test_a_foreign_message_is_set_aside_and_the_queue_continues(broker: Broker) -> None:
    """A pickled message could execute code; no task handles an unknown name or an undecodable message."""
    client = redis.Redis.from_url(broker.settings.redis_url, socket_timeout=5)
    expiry.expire.apply_async()
    good = json.loads(cast("bytes", client.lpop("upkeep")))
    pickled = good | {"content-type": "application/x-python-serialize", "body": "gASVCAAAAAAAAACMBGV4aXSULg=="}
    unknown = good | {"headers": good["headers"] | {"task": "chat.upkeep.unknown", "id": str(uuid7())}}
    for message in (pickled, unknown):
        client.lpush("upkeep", json.dumps(message))
    client.close()
    with (
        public_directory() as directory,
        processes(directory, broker.settings.database_url, broker.settings.redis_url) as started,
    ):
        worker = started.worker()
        until(lambda: waiting(broker, "upkeep")[0] == 0, 20)
        mail.send_mail.apply_async((str(uuid7()),))
        until(lambda: waiting(broker, "notifications")[0] == 0, 20)
        until(lambda: not any(one.running for one in read_stats(broker.settings.redis_url).report.queues), 20)
        assert worker.is_running
        assert "Refusing to deserialize" in worker.said or "ContentDisallowed" in worker.said
        assert "unregistered task" in worker.said
