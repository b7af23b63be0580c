"""Two API processes: `there`, which a test may kill, stop and bring back, and `here`, where life goes on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterator

import msgspec
import pytest

from app.local.valkey import EmbeddedValkey
from tests.support.client import Node
from tests.support.processes import Api, Processes, last_words, processes
from tests.support.servers import public_directory, run_valkey


class Stage(msgspec.Struct):
    """`there` is where the client under test is connected; `here` another process on the same database."""

    processes: Processes
    there: Api
    here: Node
    valkey: EmbeddedValkey

    def bring_back(self) -> None:
        """`there` again, on its old port."""
        self.there = self.processes.again(self.there)


@pytest.fixture(scope="session")
def valkey() -> Iterator[EmbeddedValkey]:
    """One that tests here may stop and start again."""
    with run_valkey() as own:
        yield own


@pytest.fixture(scope="session")
def started(database_url: str, valkey: EmbeddedValkey) -> Iterator[Processes]:
    with public_directory() as directory, processes(directory, database_url, valkey.url) as found:
        yield found


@pytest.fixture(scope="session")
def apis(started: Processes) -> list[Api]:
    return started.apis({}, {}, arguments=["--grace=3"])


@pytest.fixture
async def stage(started: Processes, apis: list[Api], valkey: EmbeddedValkey) -> AsyncIterator[Stage]:
    node = Node(apis[1].url)
    stage = Stage(started, apis[0], node, valkey)
    yield stage
    apis[0] = stage.there
    await node.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        report.sections += last_words()
    return report
