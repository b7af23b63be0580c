"""Two API processes on this run's Postgres and Valkey; shared, since starting them takes seconds."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterator

import msgspec
import psycopg
import pytest
from psycopg import sql

from tests.support.client import Node
from tests.support.processes import last_words, processes
from tests.support.servers import TestPostgres, public_directory


class Pair(msgspec.Struct, frozen=True):
    """Two nodes on one database and Redis."""

    one: Node
    two: Node


class Urls(msgspec.Struct, frozen=True):
    one: str
    two: str


@pytest.fixture(scope="session")
def urls(postgres: TestPostgres, database_url: str, redis_url: str) -> Iterator[Urls]:
    with psycopg.connect(postgres.admin_url(database_url.rpartition("/")[2]), autocommit=True) as connection:
        # Found, and so counted, long before it is waited out: `lock_timeout` is as long as Postgres's own patience.
        connection.execute(
            sql.SQL("ALTER DATABASE {} SET deadlock_timeout = '100ms'").format(sql.Identifier(connection.info.dbname))
        )
    with public_directory() as directory, processes(directory, database_url, redis_url) as started:
        one, two = started.apis({}, {})
        yield Urls(one.url, two.url)


@pytest.fixture
async def pair(urls: Urls) -> AsyncIterator[Pair]:
    found = Pair(Node(urls.one), Node(urls.two))
    yield found
    await found.one.close()
    await found.two.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        report.sections += last_words()
    return report
