"""A link for the first operator is made for a terminal, in development on embedded servers, without an operator."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import psycopg
import pytest

from app.development.local_start import LocalStart
from app.local import fresh_chat
from app.local.embedded import EmbeddedServers
from app.local.postgres import EmbeddedPostgres
from app.local.valkey import EmbeddedValkey
from app.settings import Settings
from tests.support.servers import TestPostgres, rows

NEW_OPERATOR = """
    INSERT INTO users (id, email, first_name, last_name, password_hash, is_operator)
    VALUES (gen_random_uuid(), 'root@example.org', 'Root', 'Tester', '', true) RETURNING id
"""


class Migrated(EmbeddedPostgres):
    """The run's Postgres, with a fresh database of this test's as the chat's."""

    def __init__(self, directory: Path, url: str) -> None:
        super().__init__(directory, port=1)
        self._url = url

    def connect(self, database: str = "postgres") -> psycopg.Connection[tuple[object, ...]]:
        assert database == "chat"
        return psycopg.connect(self._url, autocommit=True, connect_timeout=3)


@pytest.fixture
def terminal() -> Iterator[TextIO]:
    screen, shown = os.openpty()
    with os.fdopen(shown, "w") as stream:
        yield stream
    os.close(screen)


@pytest.fixture
def servers(postgres: TestPostgres, fresh_database_url: str, tmp_path: Path) -> EmbeddedServers:
    url = postgres.admin_url(fresh_database_url.rpartition("/")[2])
    return EmbeddedServers(tmp_path, Migrated(tmp_path, url), EmbeddedValkey(tmp_path / "valkey"))


@pytest.fixture(autouse=True)
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    page = tmp_path / "index.html"
    page.touch()
    monkeypatch.setattr(fresh_chat, "PAGE", page)
    return page


def test_a_terminal_gets_the_token_and_the_processes_its_digest(servers: EmbeddedServers, terminal: TextIO) -> None:
    start, token = fresh_chat.local_start(Settings(), servers, terminal)
    assert start is not None
    assert start.first_link is not None
    assert start.first_link.opens(token)


def test_a_file_gets_no_link(servers: EmbeddedServers) -> None:
    assert fresh_chat.local_start(Settings(), servers, io.StringIO()) == (LocalStart(), "")


def test_a_chat_with_an_operator_gets_no_link(
    servers: EmbeddedServers, terminal: TextIO, fresh_database_url: str
) -> None:
    assert len(rows(fresh_database_url, NEW_OPERATOR)) == 1
    assert fresh_chat.local_start(Settings(), servers, terminal) == (LocalStart(), "")


def test_a_chat_without_its_page_gets_no_link(servers: EmbeddedServers, terminal: TextIO, page: Path) -> None:
    assert fresh_chat.local_start(Settings(web_ui=False), servers, terminal) == (LocalStart(), "")
    page.unlink()
    assert fresh_chat.local_start(Settings(), servers, terminal) == (LocalStart(), "")


@pytest.mark.parametrize("missing", ["postgres", "valkey", "development"])
def test_elsewhere_there_is_no_local_start(servers: EmbeddedServers, terminal: TextIO, missing: str) -> None:
    settings = Settings(environment="production" if missing == "development" else "development")
    if missing != "development":
        setattr(servers, missing, None)
    assert fresh_chat.local_start(settings, servers, terminal) == (None, "")
