"""A browser, and a chat with real servers whose pages it opens; a module's tests share them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from playwright.async_api import Browser

from tests.support.browser import chromium
from tests.support.client import Node
from tests.support.processes import Api, Process
from tests.support.servers import TestPostgres
from tests.support.site import Site, site


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def chat_site(postgres: TestPostgres) -> Iterator[Site]:
    with site(postgres) as opened:
        yield opened


@pytest.fixture(scope="module")
def api(chat_site: Site) -> Api:
    return chat_site.processes.api()


@pytest.fixture(scope="module")
def worker(chat_site: Site) -> Process:
    """Writes notifications, every five seconds."""
    chat_site.processes.beat()
    return chat_site.processes.worker()


@pytest.fixture(scope="module")
async def node(api: Api) -> AsyncIterator[Node]:
    opened = Node(api.url)
    yield opened
    await opened.close()
