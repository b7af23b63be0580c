"""A database that a newer version has migrated is recognised and left alone; an unknown one is refused."""

from __future__ import annotations

import msgspec
import psycopg
import pytest
from alembic.script import ScriptDirectory
from psycopg.conninfo import conninfo_to_dict

from app.cli.database import migrate, migrations
from app.db.legacy_schema import SchemaRefused
from app.settings import Settings
from tests.support.command import chat
from tests.support.servers import TestPostgres, count
from tests.support.web import join, running

NEWEST = ScriptDirectory.from_config(migrations("")).get_current_head() or ""
NEWER = f"{int(NEWEST) + 1:04}"


def mark(url: str, version: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = %s", [version])


def sqlalchemy(url: str) -> str:
    return url.replace("postgresql:", "postgresql+psycopg:", 1)


@pytest.fixture
def newer(fresh_owner_url: str, fresh_database_url: str, postgres: TestPostgres) -> str:
    """The owner's URL of a database to which the next version added a table and a column."""
    mark(fresh_owner_url, NEWER)
    with psycopg.connect(fresh_owner_url) as connection:
        role = conninfo_to_dict(fresh_database_url)["user"]
        connection.execute("CREATE TABLE of_the_next_version (id integer)")
        connection.execute(f"GRANT SELECT ON of_the_next_version TO {role}".encode())
        connection.execute("ALTER TABLE users ADD COLUMN of_the_next_version text")
    return fresh_owner_url


async def test_after_a_rollback_the_former_version_migrates_nothing_and_runs(
    settings: Settings, newer: str, fresh_database_url: str
) -> None:
    own = msgspec.structs.replace(settings, database_url=fresh_database_url)
    done = chat(own, "migrate", MIGRATE_DATABASE_URL=newer)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"The database is at version {NEWER}; nothing was to be migrated.\n"
    assert done.stderr == (
        f"chat: The database is at version {NEWER}, to which a newer version of the chat migrated it; this version"
        f" knows {NEWEST} and changes nothing. docs/operations.md says under Roll back which versions may run on it.\n"
    )
    assert count(fresh_database_url, "SELECT count(*) FROM of_the_next_version") == 0  # its privileges stay
    async with running(own) as client:
        assert (await join(client)).id


@pytest.mark.parametrize("version", ["0000", "a1b2c3"])
def test_an_unknown_version_that_is_not_newer_is_refused(
    settings: Settings, fresh_owner_url: str, fresh_database_url: str, version: str
) -> None:
    mark(fresh_owner_url, version)
    own = msgspec.structs.replace(settings, database_url=fresh_database_url)
    done = chat(own, "migrate", MIGRATE_DATABASE_URL=fresh_owner_url)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"chat: The database is at version {version}, which this version of the chat does not know: run the version"
        " that migrated it.\n"
    )


def test_a_newer_database_is_no_error_of_the_function(newer: str) -> None:
    assert migrate(sqlalchemy(newer)) == (NEWER, NEWER)


def test_a_number_below_the_newest_is_no_newer_version(fresh_owner_url: str) -> None:
    mark(fresh_owner_url, "0000")
    with pytest.raises(SchemaRefused, match="does not know"):
        migrate(sqlalchemy(fresh_owner_url))
