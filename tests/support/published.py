"""The published OpenAPI document, and one API process to compare it with."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

import pytest
from litestar import Litestar

from app.api.docs import described
from app.main import create_app
from app.settings import Settings
from tests.support.processes import Api, last_words, processes
from tests.support.servers import public_directory

Json = dict[str, Any]


@pytest.fixture(scope="session")
def app() -> Litestar:
    """The application's own description of itself, without a server."""
    postgres, redis = "postgresql://127.0.0.1/unused", "redis://127.0.0.1/0"
    return create_app(Settings(database_url=postgres, redis_url=redis, cache_redis_url=redis, secret_key="-" * 32))


@pytest.fixture(scope="session")
def document(app: Litestar) -> Json:
    """The OpenAPI document."""
    return described(app)


@pytest.fixture(scope="package")
def api(database_url: str, redis_url: str) -> Iterator[Api]:
    with public_directory() as directory, processes(directory, database_url, redis_url) as started:
        yield started.api()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        report.sections += last_words()
    return report
