"""A database of a version between release 1.0.0 and the next is recognised, or refused in a sentence."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256

import psycopg
import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine

from alembic import command
from app.cli.database import ROOT, migrate, migrations
from app.db.legacy_schema import ADDED, LAST_REPLACED, REPLACED, REPLACEMENT, SchemaRefused
from app.db.schema_catalogue import Objects, objects
from app.settings import environment_for_child

NEWEST = ScriptDirectory.from_config(migrations("")).get_current_head()

FORMER_SCHEMA = "052d618b228ef3d9e2f82165efa85d96292b810451d0131a2fb1026daeec5c7a"
"""SHA-256 of the schema that revisions 0001 to 0011 made, as Postgres 18 describes it. Another version of Postgres may
word a definition otherwise: then `alembic/sql/tables_0012.sql` has not changed, and this digest is made again."""

FORMER_FUNCTION = """
    DROP FUNCTION send_messages (uuid[], json, json);
    CREATE FUNCTION send_messages (p_conversations uuid[], p_drafts json) RETURNS TABLE (outcome text, body text)
        LANGUAGE sql AS $$ SELECT 'stored', 'hello' $$;
"""


FORMER_MEMBERS = (
    """
    INSERT INTO users (id, email, first_name, last_name, password_hash, closed_at)
    SELECT gen_random_uuid(), n || '@example.org', n, 'Example', '', CASE n WHEN 'deleted' THEN now() END
    FROM unnest(ARRAY['Ada', 'Eve', 'deleted']) AS n
    """,
    """
    INSERT INTO conversations (id, kind, is_private, created_by, creator_id)
    SELECT gen_random_uuid(), 'group', true, id, id FROM users WHERE first_name = 'Ada'
    """,
    """
    INSERT INTO memberships (conversation_id, user_id, created_position, position, left_at, ended)
    SELECT c.id, u.id, 1, 1, CASE u.first_name WHEN 'Ada' THEN NULL ELSE now() END,
        CASE u.first_name WHEN 'Ada' THEN NULL ELSE 'left' END
    FROM conversations c, users u
    """,
)


def sqlalchemy(url: str) -> str:
    return url.replace("postgresql:", "postgresql+psycopg:", 1)


def run(url: str, *statements: str) -> None:
    with psycopg.connect(url) as connection:
        for statement in statements:
            connection.execute(statement.encode())


WITHOUT_LEFT_NAMES = "ALTER TABLE memberships DROP COLUMN left_first_name, DROP COLUMN left_last_name"


WITHOUT_INVITES = "ALTER TABLE registrations DROP COLUMN invite_id; DROP TABLE invites"
"""Undoes revision 0013."""


def at_revision(url: str, revision: str) -> None:
    """Makes the database of `url` look as at a former revision: with its tables, its function and its mark."""
    former = (WITHOUT_INVITES, FORMER_FUNCTION, WITHOUT_LEFT_NAMES)
    run(url, *former, f"UPDATE alembic_version SET version_num = '{revision}'")


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    engine = create_engine(sqlalchemy(url))
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def schema(url: str) -> Objects:
    with connected(url) as connection:
        return objects(connection, "public")


def revision(url: str) -> str:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    assert row is not None
    return str(row[0])


def test_the_revision_makes_the_schema_that_the_replaced_ones_made(empty_database_url: str) -> None:
    command.upgrade(migrations(sqlalchemy(empty_database_url)), REPLACEMENT)
    all_made = schema(empty_database_url)
    assert set(all_made) >= ADDED
    made = {name: of for name, of in all_made.items() if not name.startswith("function ") and name not in ADDED}
    assert sha256(repr(sorted(made.items())).encode()).hexdigest() == FORMER_SCHEMA


def test_a_database_at_the_last_replaced_revision_becomes_one_of_this_version(fresh_owner_url: str) -> None:
    expected = schema(fresh_owner_url)
    at_revision(fresh_owner_url, LAST_REPLACED)
    assert schema(fresh_owner_url) != expected
    migrate(sqlalchemy(fresh_owner_url))
    assert schema(fresh_owner_url) == expected
    assert revision(fresh_owner_url) == NEWEST


def test_former_members_get_the_names_they_have_at_the_migration(fresh_owner_url: str) -> None:
    at_revision(fresh_owner_url, LAST_REPLACED)
    run(fresh_owner_url, *FORMER_MEMBERS)
    migrate(sqlalchemy(fresh_owner_url))
    with psycopg.connect(fresh_owner_url) as connection:
        found = connection.execute(
            "SELECT u.first_name, m.left_first_name, m.left_last_name FROM memberships m"
            " JOIN users u ON u.id = m.user_id ORDER BY 1"
        ).fetchall()
    assert found == [("Ada", None, None), ("Eve", "Eve", "Example"), ("deleted", None, None)]


def test_tables_and_functions_of_other_software_are_left_alone(fresh_owner_url: str) -> None:
    at_revision(fresh_owner_url, LAST_REPLACED)
    run(
        fresh_owner_url,
        "CREATE TABLE reports (id integer PRIMARY KEY)",
        "CREATE FUNCTION report() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
    )
    migrate(sqlalchemy(fresh_owner_url))
    assert revision(fresh_owner_url) == NEWEST
    assert "table reports" in schema(fresh_owner_url)


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ("ALTER TABLE users ADD COLUMN astray integer", "the column users.astray is not expected"),
        ("ALTER TABLE mails ALTER outcome TYPE varchar(21)", "the column mails.outcome differs"),
        ("ALTER TABLE mails ALTER attempts DROP DEFAULT", "the column mails.attempts differs"),
        ("DROP INDEX ix_mails_user_id", "there is no index ix_mails_user_id of mails"),
        ("ALTER TABLE audit_log DISABLE TRIGGER guard_rows", "the trigger guard_rows of audit_log differs"),
        (
            "ALTER TABLE users DROP CONSTRAINT ck_users_who_may_add",
            "there is no constraint ck_users_who_may_add of users",
        ),
        (
            "CREATE OR REPLACE FUNCTION guard_audit_log() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END'",
            "the function guard_audit_log() differs",
        ),
    ],
)
def test_a_schema_that_was_altered_is_refused_and_left_as_it_was(
    fresh_owner_url: str, change: str, difference: str
) -> None:
    at_revision(fresh_owner_url, LAST_REPLACED)
    run(fresh_owner_url, change)
    before = schema(fresh_owner_url)
    with pytest.raises(SchemaRefused) as refused:
        migrate(sqlalchemy(fresh_owner_url))
    assert str(refused.value) == (
        "The database is at revision 0011, but its schema is not the one that this revision made:"
        f" {difference}. Undo these changes, and then migrate again."
    )
    assert schema(fresh_owner_url) == before
    assert revision(fresh_owner_url) == LAST_REPLACED


def test_of_many_differences_a_few_are_named(fresh_owner_url: str) -> None:
    at_revision(fresh_owner_url, LAST_REPLACED)
    run(fresh_owner_url, *(f"ALTER TABLE users ADD COLUMN astray_{number} integer" for number in range(7)))
    with pytest.raises(SchemaRefused, match=r"astray_4 is not expected; and 2 more\. Undo"):
        migrate(sqlalchemy(fresh_owner_url))


def test_every_revision_before_the_last_replaced_one_is_refused(fresh_owner_url: str, redis_url: str) -> None:
    run(fresh_owner_url, FORMER_FUNCTION)
    for former in sorted(REPLACED):
        run(fresh_owner_url, f"UPDATE alembic_version SET version_num = '{former}'")
        with pytest.raises(SchemaRefused, match=f"is at revision {former}, which was never released"):
            migrate(sqlalchemy(fresh_owner_url))
    environment = environment_for_child(DATABASE_URL=fresh_owner_url, REDIS_URL=redis_url)
    migrated = subprocess.run(
        [sys.executable, "-m", "app.cli", "migrate"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert migrated.returncode == 1
    assert migrated.stderr == (
        f"chat: The database is at revision {former}, which was never released: check out the last commit that has"
        " revision 0011 in alembic/versions, run `chat migrate` there, then run it with this version.\n"
    )


def test_the_schema_of_release_1_0_0_comes_back_by_a_downgrade(empty_database_url: str) -> None:
    config = migrations(sqlalchemy(empty_database_url))
    command.upgrade(config, "0001")
    released = schema(empty_database_url)
    command.upgrade(config, "head")
    assert schema(empty_database_url) != released
    command.downgrade(config, "0001")
    assert schema(empty_database_url) == released
