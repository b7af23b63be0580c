"""Names in Russian, Greek and Chinese are found by the index; a database that does not know their letters is named."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from app.cli.database import ROOT, migrate
from app.db.charset import CharsetRefused
from app.local import character_type, database_conversion
from app.local.database_roles import ADMINISTRATOR, APPLICATION, OWNER
from app.local.postgres import EmbeddedPostgres
from app.local.processes import StartRefused
from app.settings import environment_for_child
from tests.docs.test_docs_references import OPERATIONS
from tests.support.servers import HASTY, TestPostgres, count, public_directory

SCRIPTS = [("Аделаида", "АДЕЛ"), ("Αδελαΐδα", "ΑΔΕΛ"), ("阿黛拉伊德", "阿黛拉"), ("Ådélaïde", "ÅDÉL")]
ASCII_ONLY = "ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C' LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'"
"""What earlier versions made."""


def chat(verb: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "app.cli", verb],
        capture_output=True, text=True, timeout=120, cwd=ROOT, env=environment_for_child(**environment),
    )  # fmt: skip


def sqlalchemy(url: str) -> str:
    return url.replace("postgresql:", "postgresql+psycopg:", 1)


def people(url: str, *names: str) -> None:
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO users (id, email, first_name, last_name, password_hash)"
            " VALUES (gen_random_uuid(), gen_random_uuid() || '@example.org', %s, 'Lovelace', '!')",
            [(name,) for name in names],
        )


def read_by_the_index(url: str, search: str) -> tuple[int, int]:
    """Rows that a search finds, and rows that the index hands out for it."""
    with psycopg.connect(url) as connection:
        connection.execute("SET enable_seqscan = off")
        ((plan,),) = connection.execute(
            "EXPLAIN (ANALYZE, FORMAT JSON) SELECT id FROM users"
            " WHERE lower(first_name || ' ' || last_name) LIKE lower('%%' || %s || '%%')",
            [search],
        )
    found = plan[0]["Plan"]
    (scan,) = found["Plans"]
    assert scan["Index Name"] == "ix_users_full_name_trgm"
    return int(found["Actual Rows"]), int(scan["Actual Rows"])


@pytest.fixture
def ascii_database_url(postgres: TestPostgres) -> Iterator[str]:
    yield from _made(postgres, ASCII_ONLY)


@pytest.fixture
def latin_database_url(postgres: TestPostgres) -> Iterator[str]:
    yield from _made(postgres, "ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' LOCALE_PROVIDER libc")


def _made(postgres: TestPostgres, form: str) -> Iterator[str]:
    postgres.drop("chat_letters")
    with postgres.server.connect() as connection:
        connection.execute(sql.SQL("CREATE DATABASE chat_letters TEMPLATE template0 {}").format(sql.SQL(form)))
    yield postgres.admin_url("chat_letters")
    postgres.drop("chat_letters")


@pytest.mark.parametrize(("name", "search"), SCRIPTS, ids=["Russian", "Greek", "Chinese", "Latin"])
def test_the_index_finds_a_name_in_any_script_and_case(fresh_database_url: str, name: str, search: str) -> None:
    people(fresh_database_url, name, *(f"{chr(0x430 + n % 32) * 4} {n}" for n in range(200)))
    assert read_by_the_index(fresh_database_url, search) == (1, 1)


def test_a_new_database_with_an_ascii_locale_is_refused(ascii_database_url: str, redis_url: str) -> None:
    answer = chat("migrate", DATABASE_URL=ascii_database_url, REDIS_URL=redis_url)
    assert answer.returncode == 1
    assert "chat: DATABASE_URL: the database knows the letters of ASCII only" in answer.stderr
    assert "CREATE DATABASE chat TEMPLATE template0" in answer.stderr
    assert "Traceback" not in answer.stderr
    assert count(ascii_database_url, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0


def test_the_named_remedy_creates_an_accepted_database(postgres: TestPostgres) -> None:
    from app.db.charset import REMEDY

    postgres.drop("chat_letters")
    try:
        with postgres.server.connect() as connection:
            connection.execute(REMEDY.replace("DATABASE chat", "DATABASE chat_letters").encode())
        migrate(sqlalchemy(postgres.admin_url("chat_letters")))
        people(postgres.admin_url("chat_letters"), "Аделаида", "Борис")
        assert read_by_the_index(postgres.admin_url("chat_letters"), "АДЕЛ") == (1, 1)
    finally:
        postgres.drop("chat_letters")


def test_a_database_of_another_encoding_is_refused(latin_database_url: str) -> None:
    with pytest.raises(CharsetRefused, match="the database's encoding is LATIN1, and the chat needs UTF8"):
        migrate(sqlalchemy(latin_database_url))


def test_a_chat_in_an_ascii_database_continues_with_a_warning(
    ascii_database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("app.db.charset.verify", lambda _: "")
        migrate(sqlalchemy(ascii_database_url))
    answer = chat("migrate", DATABASE_URL=ascii_database_url, REDIS_URL=redis_url)
    assert answer.returncode == 0
    assert "`chat convert-database`" in answer.stderr


def test_the_documented_commands_move_a_chat_into_a_unicode_database(
    postgres: TestPostgres, ascii_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("app.db.charset.verify", lambda _: "")
        migrate(sqlalchemy(ascii_database_url))
    people(ascii_database_url, "Аделаида", "Борис")
    (section,) = re.findall(r"^## Letters of all scripts\n(.*?)(?=^## )", OPERATIONS, re.DOTALL | re.MULTILINE)
    (block,) = re.findall(r"```sh\n(createdb .*?)```", section, re.DOTALL)
    script = re.sub(r"\bchat\b", "chat_letters", block).replace("chat_with_letters", "chat_letters_new")
    server = postgres.server
    environment = {
        "PATH": f"{server.account.binaries}:{os.defpath}", "PGHOST": "127.0.0.1", "PGPORT": str(server.port),
        "PGUSER": ADMINISTRATOR, "PGPASSWORD": server.password_of(ADMINISTRATOR),
    }  # fmt: skip
    try:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script], env=environment, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        migrate(sqlalchemy(postgres.admin_url("chat_letters_new")))
        assert read_by_the_index(postgres.admin_url("chat_letters_new"), "АДЕЛ") == (1, 1)
    finally:
        postgres.drop("chat_letters_new")


def test_a_machine_without_a_utf8_locale_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(character_type, "CANDIDATES", ("xx_XX.UTF-8", "yy_YY.UTF-8"))
    with pytest.raises(StartRefused, match=r"no UTF-8 locale \(xx_XX.UTF-8 or yy_YY.UTF-8\)"):
        character_type.character_type.__wrapped__()


class Earlier:
    """A DATA_DIR as earlier versions made it, with a chat in it."""

    def __init__(self, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.data_dir = data_dir
        self.postgres = EmbeddedPostgres(data_dir / "postgres", options=HASTY)
        with monkeypatch.context() as patched:
            patched.setattr("app.local.postgres.character_type", lambda: "C")
            patched.setattr("app.db.charset.verify", lambda _: "")
            self.postgres.start()
            with self.postgres.connect() as connection:
                connection.execute("DROP DATABASE chat")
                connection.execute(sql.SQL("CREATE DATABASE chat TEMPLATE template0 {}").format(sql.SQL(ASCII_ONLY)))
                connection.execute("DROP ROLE chat_owner, chat_app")
            for role in (OWNER, APPLICATION):
                (data_dir / "postgres" / f"password.{role}").unlink()
            migrate(sqlalchemy(self.postgres.url(role=ADMINISTRATOR)))
        people(self.postgres.url(role=ADMINISTRATOR), "Аделаида", *(f"Борис {n}" for n in range(100)))
        self.postgres.stop()


@pytest.fixture
def earlier(monkeypatch: pytest.MonkeyPatch) -> Iterator[Earlier]:
    with public_directory() as directory:
        yield Earlier(directory / "data", monkeypatch)


def test_an_embedded_database_of_an_earlier_version_is_converted_without_loss(earlier: Earlier) -> None:
    postgres = earlier.postgres
    said = [chat("convert-database", DATA_DIR=str(earlier.data_dir)) for _ in range(2)]
    assert [one.returncode for one in said] == [0, 0], said[0].stderr + said[1].stderr
    assert said[0].stdout == "The database is converted. The former one is kept as chat_before_conversion.\n"
    assert said[1].stdout == "The database knows the letters of all scripts already; nothing was changed.\n"
    postgres.start()
    try:
        migrate(sqlalchemy(postgres.url(role=OWNER)), sqlalchemy(postgres.url()))
        assert read_by_the_index(postgres.url(), "АДЕЛ") == (1, 1)
        for database in ("chat", "chat_before_conversion"):
            assert count(postgres.url(database, ADMINISTRATOR), "SELECT count(*) FROM users") == 101
            assert (
                count(postgres.url(database, ADMINISTRATOR), "SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal")
                == 2
            )
    finally:
        postgres.stop()


def test_a_failed_conversion_changes_nothing(earlier: Earlier, monkeypatch: pytest.MonkeyPatch) -> None:
    postgres = earlier.postgres
    postgres.start()
    try:
        with postgres.connect("chat") as connection:
            connection.execute("CREATE FUNCTION nothing() RETURNS int LANGUAGE sql AS 'SELECT 1'")
            connection.execute("CREATE VIEW broken AS SELECT nothing() / 0 AS x")
            connection.execute("CREATE MATERIALIZED VIEW failing AS SELECT * FROM broken WITH NO DATA")
            connection.execute("UPDATE pg_class SET relispopulated = true WHERE relname = 'failing'")
        with pytest.raises(StartRefused, match="Nothing was changed"):
            database_conversion.convert(postgres)
        assert not postgres.has_unicode_character_type()
        assert count(postgres.url(role=ADMINISTRATOR), "SELECT count(*) FROM users") == 101
    finally:
        postgres.stop()
