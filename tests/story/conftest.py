"""Two API processes and a worker, on this run's Postgres and Valkey; shared, since starting them takes seconds."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterator

import msgspec
import pytest

from tests.support.client import Node
from tests.support.processes import last_words, processes
from tests.support.servers import public_directory


class Pair(msgspec.Struct, frozen=True):
    """Two nodes on one database and Redis."""

    one: Node
    two: Node


class Urls(msgspec.Struct, frozen=True):
    one: str
    two: str


@pytest.fixture(scope="session")
def urls(database_url: str, redis_url: str) -> Iterator[Urls]:
    with public_directory() as directory, processes(directory, database_url, redis_url) as started:
        one, two = started.apis({}, {})
        started.worker()
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
