"""A chat with its worker and mailboxes, and a browser, for the pages of the web app."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from playwright.async_api import Browser

from app.settings import Settings
from tests.support.browser import chromium
from tests.support.mailbox import Mailboxes
from tests.support.places import Place, placed
from tests.support.processes import Api
from tests.support.published import pytest_runtest_makereport
from tests.support.servers import TestPostgres

__all__ = ["pytest_runtest_makereport"]


@pytest.fixture(scope="package")
def place(postgres: TestPostgres, settings: Settings) -> Iterator[Place]:
    # The pages are opened at the address of each process, which is their origin.
    with placed(postgres, settings, "web", PUBLIC_URL="") as found:
        yield found


@pytest.fixture(scope="package")
def mailboxes(place: Place) -> Mailboxes:
    """With a worker that fills them."""
    place.processes.worker()
    return place.mailboxes


@pytest.fixture(scope="package")
def api(place: Place) -> Api:
    return place.processes.api()


@pytest.fixture(scope="package")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as started:
        yield started
