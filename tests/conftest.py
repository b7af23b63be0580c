"""Fixtures for servers and settings, and the rule that a skipped test fails the run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import redis

from app.settings import Settings
from tests.support import leftovers
from tests.support.servers import TestPostgres, public_directory, run_postgres, run_valkey, worker_name

SERVERS = pytest.StashKey[ExitStack]()
POSTGRES = pytest.StashKey[TestPostgres]()


def pytest_configure(config: pytest.Config) -> None:
    # A test sees no setting of the machine it runs on; it names what it needs.
    for field in Settings.__struct_fields__:
        os.environ.pop(field.upper(), None)
    config.stash[SERVERS] = ExitStack()
    given: dict[str, Any] | None = getattr(config, "workerinput", None)
    if given is None:
        leftovers.name_this_run()
    if given and "postgres" in given:
        config.stash[POSTGRES] = TestPostgres(Path(given["postgres"]), given["postgres_port"])


def pytest_unconfigure(config: pytest.Config) -> None:
    if SERVERS in config.stash:
        config.stash[SERVERS].close()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """On the controller of several workers: starts Postgres once and passes its address to each worker."""
    postgres = _postgres(node.config)
    node.workerinput["postgres"] = str(postgres.directory)
    node.workerinput["postgres_port"] = postgres.server.port


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """CI without a browser, or without a fault, must not be green; nor may a run leave something running."""
    session.config.stash[SERVERS].close()
    if hasattr(session.config, "workerinput"):
        return
    reporter: Any = session.config.pluginmanager.get_plugin("terminalreporter")
    wrong = leftovers.ended_leftovers()
    if reporter and (skipped := reporter.stats.get("skipped")):
        wrong.append(f"{len(skipped)} skipped: what cannot be tested here is not known to work")
    if wrong and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    if wrong and reporter:
        reporter.section("left over", red=True)
        for line in wrong:
            reporter.write_line(line)


def _postgres(config: pytest.Config) -> TestPostgres:
    if POSTGRES not in config.stash:
        config.stash[POSTGRES] = config.stash[SERVERS].enter_context(run_postgres())
    return config.stash[POSTGRES]


@pytest.fixture(scope="session")
def postgres(pytestconfig: pytest.Config) -> TestPostgres:
    """The run's Postgres. `create(name)` makes a migrated database."""
    return _postgres(pytestconfig)


@pytest.fixture(scope="session")
def database_url(postgres: TestPostgres) -> Iterator[str]:
    """A migrated database of this process's own, as postgresql://…; shared by its tests."""
    name = f"chat_{worker_name()}"
    yield postgres.create(name)
    postgres.drop(name)


@pytest.fixture
def fresh_database_url(postgres: TestPostgres, request: pytest.FixtureRequest) -> Iterator[str]:
    """A migrated database for one test alone."""
    name = f"chat_{worker_name()}_fresh"
    yield postgres.create(name)
    postgres.drop(name)


@pytest.fixture
def fresh_owner_url(postgres: TestPostgres, fresh_database_url: str) -> str:
    """The database of `fresh_database_url` by the role that owns its tables."""
    return postgres.owner_url(fresh_database_url.rpartition("/")[2])


@pytest.fixture
def empty_database_url(postgres: TestPostgres) -> Iterator[str]:
    """A database without a table, for one test alone; by the role that owns it."""
    name = f"chat_{worker_name()}_empty"
    yield postgres.create(name, migrated=False)
    postgres.drop(name)


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A Valkey of this process's own; shared by its tests."""
    with run_valkey() as valkey:
        yield valkey.url


@pytest.fixture
def empty_redis_url(redis_url: str) -> str:
    """The same, emptied."""
    with redis.Redis.from_url(redis_url, socket_timeout=5) as client:
        client.flushall()
    return redis_url


@pytest.fixture(scope="session")
def settings(database_url: str, redis_url: str) -> Iterator[Settings]:
    """Settings of a chat on this process's database and Redis; `msgspec.structs.replace` makes others."""
    with public_directory() as data_dir:
        yield Settings(
            database_url=database_url,
            redis_url=redis_url,
            cache_redis_url=redis_url,
            secret_key="for-tests-only-" + "0123456789abcdef" * 2,
            public_url="http://127.0.0.1:8000",
            allowed_origins=("http://127.0.0.1:8000",),
            allowed_hosts=("127.0.0.1", "localhost", "testserver.local"),
            data_dir=data_dir,
        )
