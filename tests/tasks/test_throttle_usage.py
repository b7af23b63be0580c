"""A worker that is killed while it brings counts home, before or after COMMIT, neither doubles nor loses one."""

from __future__ import annotations

import time
from collections.abc import Iterator

import msgspec
import psycopg
import pytest
import redis

from app.domain.orm import uuid7
from app.settings import Settings
from app.tasks import throttle_usage
from app.wiring import make_celery
from tests.support.chat import until
from tests.support.processes import Processes, processes
from tests.support.servers import count, public_directory, run_valkey

MINUTES, PEOPLE = 3, 200
ARRIVED = "SELECT coalesce(sum(attempts), 0) FROM throttle_attempts"
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


class Counted(msgspec.Struct, frozen=True):
    """A Redis with counts in it, the database they belong into, and workers."""

    redis_url: str
    database_url: str
    started: Processes

    def keys(self) -> list[bytes]:
        with redis.Redis.from_url(self.redis_url, socket_timeout=5) as client:
            return [key for pattern in ("throttle:counts:*", "throttle:flight:*") for key in client.keys(pattern)]


@pytest.fixture
def counted(settings: Settings, fresh_database_url: str) -> Iterator[Counted]:
    with run_valkey() as valkey, public_directory() as directory:
        make_celery(msgspec.structs.replace(settings, redis_url=valkey.url, cache_redis_url=valkey.url))
        with redis.Redis.from_url(valkey.url, socket_timeout=5) as client:
            now = int(time.time()) // 60
            for minute in range(now - 2 - MINUTES, now - 2):
                fields = {f"throttle:{{{uuid7()}}}:messages:60": 2 for _ in range(PEOPLE)}
                client.hset(f"throttle:counts:{minute}", mapping=fields)
                client.expire(f"throttle:counts:{minute}", 3_600)
        with processes(directory, fresh_database_url, valkey.url) as started:
            yield Counted(valkey.url, fresh_database_url, started)


@pytest.mark.parametrize("committed", [False, True])
def test_each_count_is_stored_once_despite_a_killed_worker(counted: Counted, committed: bool) -> None:
    whole = 2 * PEOPLE * MINUTES
    worker = counted.started.worker()
    with psycopg.connect(counted.database_url, connect_timeout=3) as holding:
        holding.execute("LOCK TABLE throttle_attempts IN ACCESS EXCLUSIVE MODE")
        throttle_usage.fetch_usage.apply_async()
        until(lambda: count(counted.database_url, WAITING) > 0, 20)
        if committed:
            with redis.Redis.from_url(counted.redis_url, socket_timeout=5) as client:
                # It cannot say that the first minute has arrived, and is waited for no longer than two seconds.
                client.execute_command("CLIENT", "PAUSE", "60000", "WRITE")
            holding.rollback()
            until(lambda: count(counted.database_url, ARRIVED) > 0, 20)
        worker.end()
    assert "usage_not_transferred" not in worker.said
    assert count(counted.database_url, ARRIVED) == (2 * PEOPLE if committed else 0)
    with redis.Redis.from_url(counted.redis_url, socket_timeout=5) as client:
        client.execute_command("CLIENT", "UNPAUSE")
    assert len(counted.keys()) == MINUTES
    counted.started.worker()
    throttle_usage.fetch_usage.apply_async()
    until(lambda: not counted.keys(), 30)
    assert count(counted.database_url, ARRIVED) == whole
    assert count(counted.database_url, "SELECT count(*) FROM throttle_flights") == MINUTES
