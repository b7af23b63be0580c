"""Real servers for the suite: one Postgres for all of pytest's processes, one Valkey for each of them.

Postgres is started by the process the run began in and ends with it, however it ends (the kernel sees to that). Each
process gets a database of its own, copied from a template that the first who needs it has migrated.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from app.local.database_roles import ADMINISTRATOR, OWNER
from app.local.postgres import EmbeddedPostgres
from app.local.valkey import EmbeddedValkey
from tests.support.leftovers import directory_prefix

TEMPLATE = "chat_template"
# Nothing of a test survives the machine's crash, so it need not wait for the disk. Faults use servers of their own.
HASTY = {"fsync": "off", "full_page_writes": "off", "max_connections": "400", "shared_buffers": "256MB"}


@contextmanager
def public_directory() -> Iterator[Path]:
    """A temporary directory that Postgres's account can pass through (pytest's own are closed to others)."""
    path = Path(tempfile.mkdtemp(prefix=directory_prefix()))
    path.chmod(0o711)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


class TestPostgres:
    """The run's Postgres as every one of its processes sees it: its directory."""

    __test__ = False

    def __init__(self, directory: Path, port: int) -> None:
        self.directory = directory
        self.server = EmbeddedPostgres(directory / "postgres", port=port, options=HASTY)

    def url(self, database: str) -> str:
        """By the application's role, as the chat is deployed: a right that is missing fails here."""
        return self.server.url(database)

    def owner_url(self, database: str) -> str:
        """By the role that owns the tables, for migrations and for what a test changes in a schema."""
        return self.server.url(database, OWNER)

    def admin_url(self, database: str) -> str:
        """By the superuser."""
        return self.server.url(database, ADMINISTRATOR)

    def create(self, database: str, *, migrated: bool = True) -> str:
        """A database of that name, replacing an older one. Answers its URL: the application's, of an empty one the
        owner's."""
        if migrated:
            self._migrate_template()
        self.drop(database)
        self.server.create_database(database, TEMPLATE if migrated else "")
        return self.url(database) if migrated else self.owner_url(database)

    def drop(self, database: str) -> None:
        with self.server.connect() as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database)))

    def _migrate_template(self) -> None:
        from app.cli.database import migrate

        with (self.directory / "template.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with self.server.connect() as connection:
                done = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [TEMPLATE]).fetchone()
            if done:
                return
            # Under another name until it is finished: a failed migration leaves no template behind.
            self.drop("chat_migrating")
            self.server.create_database("chat_migrating")
            migrate(*(_sqlalchemy(url("chat_migrating")) for url in (self.owner_url, self.url)))
            with self.server.connect() as connection:
                connection.execute(
                    sql.SQL("ALTER DATABASE chat_migrating RENAME TO {}").format(sql.Identifier(TEMPLATE))
                )


def _sqlalchemy(url: str) -> str:
    return url.replace("postgresql:", "postgresql+psycopg:", 1)


@contextmanager
def run_postgres() -> Iterator[TestPostgres]:
    with public_directory() as directory:
        server = EmbeddedPostgres(directory / "postgres", options=HASTY)
        try:
            server.start()
            yield TestPostgres(directory, server.port)
        finally:
            server.stop()


@contextmanager
def run_valkey() -> Iterator[EmbeddedValkey]:
    with public_directory() as directory:
        valkey = EmbeddedValkey(directory / "valkey", options={"appendonly": "no"})
        try:
            valkey.start()
            yield valkey
        finally:
            valkey.stop()


def count(database_url: str, query: str) -> int:
    """The number that a query answers, read past everything of ours."""
    with psycopg.connect(database_url, connect_timeout=3) as connection:
        row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return int(row[0])


def rows(database_url: str, query: str) -> list[tuple[Any, ...]]:
    """All that a query answers; what it changes is committed."""
    with psycopg.connect(database_url, connect_timeout=3) as connection:
        return connection.execute(query.encode()).fetchall()


def worker_name() -> str:
    return os.environ.get("PYTEST_XDIST_WORKER", "main")
