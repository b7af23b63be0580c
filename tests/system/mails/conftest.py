"""A chat that wants activation, its worker, and the mail server they use; on a database and a Redis of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import msgspec
import pytest

from app.db import Database, open_engine
from app.settings import Settings
from tests.support.mailbox import Mailboxes
from tests.support.places import PUBLIC_URL, Place, placed
from tests.support.servers import TestPostgres
from tests.support.web import Client, running

__all__ = ["PUBLIC_URL", "Place"]


@pytest.fixture(scope="package")
def place(postgres: TestPostgres, settings: Settings) -> Iterator[Place]:
    with placed(postgres, settings, "mails") as found:
        yield found


@pytest.fixture(scope="package")
def mailboxes(place: Place) -> Mailboxes:
    """With a worker that fills them."""
    place.processes.worker()
    return place.mailboxes


@pytest.fixture(scope="package")
async def api(place: Place, mailboxes: Mailboxes) -> AsyncIterator[Client]:
    async with running(msgspec.structs.replace(place.settings, require_activation=True)) as client:
        yield client


@pytest.fixture
async def database(place: Place) -> AsyncIterator[Database]:
    opened = Database(open_engine(place.settings.libpq_url, pool_size=4))
    yield opened
    await opened.close()
