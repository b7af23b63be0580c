"""API processes whose way to Postgres and Redis can be broken, and a Valkey of their own, which may be stopped."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import pytest

from app.local.valkey import Valkey
from tests.support.processes import Processes, last_words, processes
from tests.support.servers import public_directory, run_valkey


@pytest.fixture(scope="session")
def valkey() -> Iterator[Valkey]:
    """One that tests here may stop and start again."""
    with run_valkey() as own:
        yield own


@pytest.fixture(scope="session")
def started(database_url: str, valkey: Valkey) -> Iterator[Processes]:
    """Where processes are started from, on this run's Postgres and the Valkey of these tests."""
    with public_directory() as directory, processes(directory, database_url, valkey.url) as found:
        yield found


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        report.sections += last_words()
    return report
