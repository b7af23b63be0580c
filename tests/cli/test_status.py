"""`chat status`: each part that fails is named on its line, and the exit code is 1."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec
import psutil
import psycopg
import pytest
import redis

from app.cli import status
from app.local.supervisord import NOTE, Note
from app.settings import Settings
from app.tasks import expiry, task_stats
from app.tasks.celery_app import SENT_AT
from app.tasks.queue_stats import read_stats
from app.wiring import make_celery
from tests.support.chat import until
from tests.support.command import chat
from tests.support.processes import processes
from tests.support.servers import TestPostgres, public_directory, run_valkey, worker_name


class Running(msgspec.Struct, frozen=True):
    settings: Settings


@pytest.fixture(scope="module")
def running(settings: Settings, postgres: TestPostgres) -> Iterator[Running]:
    """An API, a worker and beat, on a database and a Valkey of their own."""
    name = f"chat_{worker_name()}_status"
    url = postgres.create(name)
    with ExitStack() as stack:
        stack.callback(postgres.drop, name)
        valkey = stack.enter_context(run_valkey())
        started = stack.enter_context(processes(stack.enter_context(public_directory()), url, valkey.url))
        started.worker()
        started.beat()
        own = msgspec.structs.replace(
            settings,
            database_url=url,
            redis_url=valkey.url,
            cache_redis_url=valkey.url,
            port=started.api().port,
        )
        until(lambda: bool(read_stats(valkey.url).report.workers) and read_stats(valkey.url).beat is not None, 60)
        yield Running(own)


def wrong(done: subprocess.CompletedProcess[str]) -> list[str]:
    """The names of the checks that failed, as the JSON and the screen agree."""
    return [check["name"] for check in json.loads(done.stdout)["checks"] if not check["ok"]]


def test_everything_that_runs_is_well_with_its_address(running: Running) -> None:
    done = chat(running.settings, "status")
    assert done.returncode == 0, done.stdout + done.stderr
    lines = {line[:12].strip(): line[12:].split(maxsplit=1) for line in done.stdout.splitlines() if line}
    for name in ("api", "postgres", "redis", "worker", "beat", "queues", "failed tasks", "mail", "disk"):
        assert lines[name][0] == "ok", lines[name]
    assert f"http://127.0.0.1:{running.settings.port}" in lines["api"][1]
    assert "celery@" in lines["worker"][1]
    assert "Everything is well." in done.stdout
    facts = json.loads(chat(running.settings, "status", "--json").stdout)
    assert facts["ok"] is True
    assert {queue["name"] for queue in facts["queues"]["queues"]} == {
        "cache", "notifications", "broadcasts", "analytics", "upkeep"
    }  # fmt: skip


def test_it_shows_no_password(running: Running) -> None:
    done = chat(running.settings, "status")
    with psycopg.connect(running.settings.libpq_url) as connection:
        assert connection.info.password not in done.stdout + done.stderr


def test_an_api_that_does_not_answer_is_named(running: Running) -> None:
    gone = msgspec.structs.replace(running.settings, port=1)
    done = chat(gone, "status", "--json")
    assert (done.returncode, wrong(done)) == (1, ["api"])


def test_a_database_that_does_not_answer_is_named(running: Running) -> None:
    gone = msgspec.structs.replace(running.settings, database_url="postgresql://chat:secret@127.0.0.1:1/chat")
    done = chat(gone, "status", "--json")
    assert (done.returncode, wrong(done)) == (1, ["postgres"])
    assert "secret" not in done.stdout + done.stderr


def test_a_database_without_tables_is_named(running: Running, empty_database_url: str) -> None:
    done = chat(msgspec.structs.replace(running.settings, database_url=empty_database_url), "status", "--json")
    assert (done.returncode, wrong(done)) == (1, ["postgres"])
    assert "has no tables of this version; run `chat migrate`" in done.stdout
    assert "Traceback" not in done.stderr


def test_a_silent_redis_is_named_and_hides_nothing_else(running: Running) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        gone = msgspec.structs.replace(running.settings, redis_url=url, cache_redis_url=url)
        done = chat(gone, "status", "--json")
    assert (done.returncode, wrong(done)) == (1, ["redis", "worker"])
    assert json.loads(done.stdout)["queues"] is None


def test_a_redis_that_refuses_writes_is_named_and_not_the_processes(running: Running) -> None:
    with redis.Redis.from_url(running.settings.redis_url, socket_timeout=5) as client:
        client.config_set("min-replicas-to-write", 1)
        try:
            done = chat(running.settings, "status", "--json")
        finally:
            client.config_set("min-replicas-to-write", 0)
    assert done.returncode == 1
    assert set(wrong(done)) >= {"redis", "worker"}
    assert "beat" not in wrong(done)
    facts = {check["name"]: check["facts"] for check in json.loads(done.stdout)["checks"]}
    assert "refuses a write (NOREPLICAS" in facts["redis"]
    assert facts["worker"] == "unknown: Redis refuses writes"


def test_the_screen_ends_with_the_sections_of_what_failed(running: Running) -> None:
    gone = msgspec.structs.replace(running.settings, port=1)
    assert chat(gone, "status").stdout.splitlines()[-2:] == [
        "Something is wrong. What to do:",
        "docs/runbook.md#an-api-process-is-gone",
    ]


def test_a_mail_server_that_refuses_permanently_is_named(settings: Settings, empty_redis_url: str) -> None:
    own = msgspec.structs.replace(settings, redis_url=empty_redis_url)
    celery = make_celery(own)
    task_stats.count_mail(celery, "sent")
    task_stats.count_mail(celery, "refused")
    done = chat(own, "status", "--json", SMTP_URL="smtp://127.0.0.1:1")
    (mail,) = [check for check in json.loads(done.stdout)["checks"] if check["name"] == "mail"]
    assert mail == {
        "name": "mail",
        "ok": False,
        "facts": "127.0.0.1:1: refused 1 of 2 mails in the last hour; see `chat mails --state refused`",
        "runbook": "the-mail-server-refuses",
    }


def test_the_disk_is_that_of_the_log_or_of_the_embedded_servers(settings: Settings, tmp_path: Path) -> None:
    def disks(**environment: str) -> list[str]:
        own = msgspec.structs.replace(settings, data_dir=tmp_path)
        checks = json.loads(chat(own, "status", "--json", **environment).stdout)["checks"]
        return [check["facts"] for check in checks if check["name"] == "disk"]

    (log,) = disks()
    assert log.endswith(f" in {tmp_path / 'log'}, with the log, not with Postgres")
    assert disks(LOG_FILE="") == [], "a container's log leaves through the console"
    (tmp_path / "postgres").mkdir()
    (embedded,) = disks(LOG_FILE="")
    assert embedded.endswith(f" in {tmp_path}, with Postgres")


def test_a_missing_worker_a_late_task_and_a_failed_task_are_named(
    settings: Settings, fresh_database_url: str, empty_redis_url: str
) -> None:
    own = msgspec.structs.replace(
        settings, database_url=fresh_database_url, redis_url=empty_redis_url, cache_redis_url=empty_redis_url
    )
    make_celery(own)
    expiry.expire.apply_async()
    with redis.Redis.from_url(empty_redis_url, socket_timeout=5) as client:
        message = json.loads(client.lpop("upkeep"))
        message["headers"][SENT_AT] -= 3_600
        client.lpush("upkeep", json.dumps(message))
    with psycopg.connect(fresh_database_url) as connection:
        connection.execute(
            "INSERT INTO failed_tasks (id, task, arguments, queue, reason, error, worker, attempts)"
            " VALUES (gen_random_uuid(), 'chat.upkeep.expire', '[]', 'upkeep', 'failed', 'ValueError', 'w', 5)"
        )
    done = chat(own, "status", "--json")
    assert done.returncode == 1
    assert set(wrong(done)) >= {"worker", "beat", "queues", "failed tasks"}
    assert "upkeep waits for 3,6" in done.stdout


def test_production_without_a_mail_server_is_named(settings: Settings) -> None:
    done = chat(settings, "status", "--json", ENVIRONMENT="production", PUBLIC_URL="https://chat.example.org")
    assert "mail" in wrong(done)
    assert "SMTP_URL is not set" in done.stdout


def test_with_nothing_running_it_says_so(settings: Settings, tmp_path: Path) -> None:
    done = chat(msgspec.structs.replace(settings, database_url="", redis_url="", data_dir=tmp_path), "status")
    assert done.returncode == 2
    assert done.stderr.startswith(f"chat: No chat runs on {tmp_path} (DATA_DIR)")


def test_beat_of_a_chat_that_has_just_started_is_starting(
    settings: Settings, empty_redis_url: str, tmp_path: Path
) -> None:
    own = msgspec.structs.replace(settings, redis_url=empty_redis_url, data_dir=tmp_path)

    def beat() -> tuple[bool, str]:
        (found,) = [check for check in status._background(own)[1] if check.name == "beat"]
        return found.ok, found.facts

    with subprocess.Popen(["sleep", "60"]) as manager:
        note = Note(manager.pid, psutil.Process(manager.pid).create_time())
        (tmp_path / NOTE).write_bytes(msgspec.json.encode(note))
        assert beat() == (True, "starting")
        manager.kill()
    assert beat() == (False, "no sign yet; is `chat beat` running?")
