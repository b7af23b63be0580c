"""A separate chat that sends real mails: a database, a Redis and a mail server, without a process yet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from app.settings import Settings
from tests.support.mailbox import Mailboxes, mail_server
from tests.support.processes import Processes, processes
from tests.support.servers import TestPostgres, public_directory, run_valkey, worker_name

PUBLIC_URL = "https://chat.example.org"


class Place(msgspec.Struct, frozen=True):
    """Where such a chat lives. `settings` are for an application in this process, `processes` for real ones."""

    settings: Settings
    processes: Processes
    mailboxes: Mailboxes


@contextmanager
def placed(postgres: TestPostgres, settings: Settings, name: str, **environment: str) -> Iterator[Place]:
    """One called `name`, whose processes find `environment`."""
    database = f"chat_{worker_name()}_{name}"
    with (
        public_directory() as directory,
        run_valkey() as valkey,
        mail_server() as (mailboxes, port),
        processes(directory, postgres.create(database), valkey.url) as started,
    ):
        started.environment |= {"SMTP_URL": f"smtp://127.0.0.1:{port}", "PUBLIC_URL": PUBLIC_URL, **environment}
        own = msgspec.structs.replace(
            settings,
            database_url=started.environment["DATABASE_URL"],
            redis_url=valkey.url,
            cache_redis_url=valkey.url,
            public_url=PUBLIC_URL,
            allowed_hosts=("127.0.0.1", "chat.example.org"),
            data_dir=directory,
        )
        yield Place(own, started, mailboxes)
    postgres.drop(database)
