"""A chat that wants activation, its worker, and the mail server they use; on a database and a Redis of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import msgspec
import pytest

from app.db import Database, open_engine
from app.settings import Settings
from tests.support.mailbox import Mailboxes, mail_server
from tests.support.processes import Processes, processes
from tests.support.servers import TestPostgres, public_directory, run_valkey, worker_name
from tests.support.web import Client, running

PUBLIC_URL = "https://chat.example.org"


class Place(msgspec.Struct, frozen=True):
    """Where the chat of these tests lives."""

    settings: Settings
    processes: Processes
    mailboxes: Mailboxes


@pytest.fixture(scope="package")
def place(postgres: TestPostgres, settings: Settings) -> Iterator[Place]:
    name = f"chat_{worker_name()}_mails"
    with (
        public_directory() as directory,
        run_valkey() as valkey,
        mail_server() as (mailboxes, port),
        processes(directory, postgres.create(name), valkey.url) as started,
    ):
        started.environment |= {"SMTP_URL": f"smtp://127.0.0.1:{port}", "PUBLIC_URL": PUBLIC_URL}
        own = msgspec.structs.replace(
            settings,
            database_url=started.environment["DATABASE_URL"],
            redis_url=valkey.url,
            cache_redis_url=valkey.url,
            require_activation=True,
            public_url=PUBLIC_URL,
            allowed_hosts=("127.0.0.1", "chat.example.org"),
            data_dir=directory,
        )
        yield Place(own, started, mailboxes)
    postgres.drop(name)


@pytest.fixture(scope="package")
def mailboxes(place: Place) -> Mailboxes:
    """With a worker that fills them."""
    place.processes.worker()
    return place.mailboxes


@pytest.fixture(scope="package")
async def api(place: Place, mailboxes: Mailboxes) -> AsyncIterator[Client]:
    async with running(place.settings) as client:
        yield client


@pytest.fixture
async def database(place: Place) -> AsyncIterator[Database]:
    opened = Database(open_engine(place.settings.sqlalchemy_url, pool_size=4))
    yield opened
    await opened.close()
