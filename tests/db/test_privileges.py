"""The application's role does what the chat needs and nothing else; a chat of one role gets two without loss."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import errors, sql

from app.cli.database import ROOT, migrate
from app.domain import metadata
from app.local.database_roles import ADMINISTRATOR, APPLICATION, OWNER
from app.local.postgres import EmbeddedPostgres
from app.settings import environment_for_child
from tests.docs.test_docs_references import OPERATIONS
from tests.support.servers import HASTY, TestPostgres, count, public_directory

FORBIDDEN = [
    "DROP TRIGGER guard_rows ON audit_log",
    "ALTER TABLE audit_log DISABLE TRIGGER ALL",
    "ALTER TABLE users ADD COLUMN astray integer",
    "CREATE OR REPLACE FUNCTION guard_audit_log() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END'",
    "TRUNCATE audit_log",
    "UPDATE audit_log SET by = NULL",
    "DROP TABLE messages",
    "DELETE FROM messages_p00",
    "SELECT * FROM alembic_version",
    "CREATE TABLE astray ()",
    "CREATE FUNCTION astray() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE SCHEMA astray",
    "CREATE EXTENSION dblink",
    "DROP EXTENSION pg_trgm CASCADE",
    "CREATE ROLE astray",
    "CREATE DATABASE astray",
    "ALTER DATABASE {database} SET search_path = astray",
    "SET session_replication_role = replica",
    "SET ROLE chat_owner",
    "COPY users TO PROGRAM 'cat'",
    "COPY users TO '/tmp/astray'",
    "SELECT pg_read_file('PG_VERSION')",
    "SELECT rolpassword FROM pg_authid",
    "ALTER SYSTEM SET log_statement = 'all'",
    "SELECT pg_reload_conf()",
]


def sqlalchemy(url: str) -> str:
    return url.replace("postgresql:", "postgresql+psycopg:", 1)


def chat(verb: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "app.cli", verb],
        capture_output=True, text=True, timeout=120, cwd=ROOT, env=environment_for_child(**environment),
    )  # fmt: skip


def rights(url: str, role: str = APPLICATION) -> set[tuple[str, str]]:
    """What the application's role may do with which table, partitions and Alembic's own included."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT relname, privilege FROM pg_class, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE',"
            " 'REFERENCES', 'TRIGGER', 'MAINTAIN']) privilege WHERE relnamespace = 'public'::regnamespace"
            " AND relkind IN ('r', 'p', 'v', 'm', 'f') AND has_table_privilege(%s, oid, privilege)",
            [role],
        )
        return {(str(table), str(privilege)) for table, privilege in rows}


NEEDED = {
    (name, privilege)
    for name in metadata.metadata.tables
    for privilege in ("SELECT", "INSERT", "UPDATE", "DELETE")
    if (name, privilege) != ("audit_log", "UPDATE")
}


@pytest.mark.parametrize("statement", FORBIDDEN)
def test_the_application_role_cannot_run_privileged_statements(database_url: str, statement: str) -> None:
    database = sql.Identifier(database_url.rpartition("/")[2])
    with psycopg.connect(database_url, autocommit=True) as connection, pytest.raises(errors.InsufficientPrivilege):
        connection.execute(sql.SQL(statement).format(database=database))


def test_the_owner_role_is_no_superuser_and_cannot_run_programs(postgres: TestPostgres, database_url: str) -> None:
    with psycopg.connect(postgres.owner_url(database_url.rpartition("/")[2]), autocommit=True) as connection:
        row = connection.execute(
            "SELECT rolsuper, rolcreaterole, rolcreatedb, rolbypassrls, rolreplication FROM pg_roles"
            " WHERE rolname = current_user"
        ).fetchone()
        assert row == (False,) * 5
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute("COPY users TO PROGRAM 'cat'")


def test_the_application_role_has_exactly_the_rights_it_needs(postgres: TestPostgres, database_url: str) -> None:
    assert rights(database_url) == NEEDED


def test_a_migration_run_revokes_excess_rights_and_grants_missing_ones(
    postgres: TestPostgres, fresh_database_url: str, fresh_owner_url: str
) -> None:
    with psycopg.connect(fresh_owner_url) as connection:
        connection.execute(f"GRANT ALL ON audit_log, alembic_version, messages_p00 TO {APPLICATION}")
        connection.execute(f"REVOKE ALL ON users, mails FROM {APPLICATION}")
        connection.execute("GRANT CREATE ON SCHEMA public TO PUBLIC")
    migrate(sqlalchemy(fresh_owner_url), sqlalchemy(fresh_database_url))
    assert rights(fresh_database_url) == NEEDED
    with psycopg.connect(fresh_database_url) as connection, pytest.raises(errors.InsufficientPrivilege):
        connection.execute("CREATE TABLE astray ()")


def test_a_new_table_is_inaccessible_until_it_is_granted(fresh_database_url: str, fresh_owner_url: str) -> None:
    with psycopg.connect(fresh_owner_url) as connection:
        connection.execute("CREATE TABLE later ()")
    with psycopg.connect(fresh_database_url) as connection, pytest.raises(errors.InsufficientPrivilege):
        connection.execute("SELECT * FROM later")


@pytest.fixture
def own_role(postgres: TestPostgres) -> Iterator[str]:
    """A name for a role of this test's own."""
    yield "chat_tester"
    with postgres.server.connect() as connection:
        connection.execute("DROP ROLE IF EXISTS chat_tester")


def test_the_role_of_database_url_is_created_where_the_migrating_one_may(
    postgres: TestPostgres, empty_database_url: str, own_role: str, redis_url: str
) -> None:
    name = empty_database_url.rpartition("/")[2]
    url = f"postgresql://{own_role}:a%40word@127.0.0.1:{postgres.server.port}/{name}"
    environment = {"DATABASE_URL": url, "REDIS_URL": redis_url}
    refused = chat("migrate", MIGRATE_DATABASE_URL=postgres.owner_url(name), **environment)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert f"chat: DATABASE_URL: its role '{own_role}' does not exist" in refused.stderr
    assert "a@word" not in refused.stderr
    assert "Traceback" not in refused.stderr
    made = chat("migrate", MIGRATE_DATABASE_URL=postgres.admin_url(name), **environment)
    assert made.returncode == 0, made.stderr
    assert count(url, "SELECT count(*) FROM users") == 0
    with psycopg.connect(url) as connection, pytest.raises(errors.InsufficientPrivilege):
        connection.execute("DROP TABLE users")
    postgres.drop(name)


def test_the_applications_role_alone_cannot_migrate_and_the_sentence_says_what_to_set(fresh_database_url: str) -> None:
    answer = chat("migrate", DATABASE_URL=fresh_database_url, REDIS_URL="redis://127.0.0.1:1")
    assert answer.returncode == 1
    assert answer.stderr.startswith("chat: The database refuses to be migrated by this role (permission denied")
    assert "MIGRATE_DATABASE_URL" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_one_role_for_all_goes_on_and_a_superuser_is_warned_of(
    postgres: TestPostgres, empty_database_url: str, redis_url: str
) -> None:
    name = empty_database_url.rpartition("/")[2]
    plain = chat("migrate", DATABASE_URL=empty_database_url, REDIS_URL=redis_url)
    assert (plain.returncode, plain.stderr) == (0, "")
    warned = chat("migrate", DATABASE_URL=postgres.admin_url(name), REDIS_URL=redis_url)
    assert warned.returncode == 0
    assert f"chat: The role '{ADMINISTRATOR}' of DATABASE_URL is a superuser" in warned.stderr


def test_a_member_of_the_owners_role_is_refused(
    postgres: TestPostgres, fresh_database_url: str, fresh_owner_url: str, own_role: str
) -> None:
    url = fresh_database_url.replace(f"//{APPLICATION}:", f"//{own_role}:")
    with postgres.server.connect() as connection:
        connection.execute(f"CREATE ROLE {own_role} IN ROLE {OWNER}".encode())
    answer = chat("migrate", DATABASE_URL=url, MIGRATE_DATABASE_URL=fresh_owner_url, REDIS_URL="redis://127.0.0.1:1")
    assert answer.returncode == 1
    assert "is a member of the tables' owner" in answer.stderr


def test_a_data_directory_whose_chat_was_a_superuser_is_taken_over_without_loss() -> None:
    with public_directory() as directory:
        postgres = EmbeddedPostgres(directory / "postgres", options=HASTY)
        try:
            postgres.start()
            as_version_1_0(postgres)
            postgres.stop()
            postgres.start()
            migrate(sqlalchemy(postgres.url(role=OWNER)), sqlalchemy(postgres.url()))
            assert rights(postgres.url()) == NEEDED
            assert count(postgres.url(), "SELECT count(*) FROM users") == 1
            owners = (
                "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
                f" AND relowner <> '{OWNER}'::regrole"
            )
            assert count(postgres.url(), owners) == 0
            with psycopg.connect(postgres.url()) as connection, pytest.raises(errors.InsufficientPrivilege):
                connection.execute("ALTER TABLE users ADD COLUMN astray integer")
            with psycopg.connect(postgres.url(role=OWNER)) as connection:
                connection.execute("ALTER TABLE users ADD COLUMN later integer")
                connection.execute("DROP FUNCTION guard_audit_log CASCADE")
        finally:
            postgres.stop()


def test_the_documented_statements_make_two_roles_and_give_a_former_roles_tables_to_one(postgres: TestPostgres) -> None:
    (section,) = re.findall(r"^## Roles\n(.*?)(?=^## )", OPERATIONS, re.DOTALL | re.MULTILINE)
    blocks = [
        re.sub(r"\bchat\b", "tester", block.replace("'…'", "'word'").replace("chat_", "tester_"))
        for block in re.findall(r"```sql\n(.*?)```", section, re.DOTALL)
    ]
    ((create,), (change,), (reassign,)) = (
        [block for block in blocks if word in block] for word in ("CREATE ROLE", "ALTER ROLE", "REASSIGN")
    )
    server = f"@127.0.0.1:{postgres.server.port}/tester"
    former, owner, application = (f"postgresql://tester_{name}:word{server}" for name in ("before", "owner", "app"))
    try:
        with postgres.server.connect() as connection:
            for statement in (*create.split(";")[:-1], change.split(";")[0]):
                connection.execute(statement.encode())
            connection.execute("CREATE ROLE tester_before LOGIN PASSWORD 'word'")
            connection.execute("ALTER DATABASE tester OWNER TO tester_before")
        migrate(sqlalchemy(former))
        with postgres.server.connect("tester") as connection:
            connection.execute(reassign.encode())
        migrate(sqlalchemy(owner), sqlalchemy(application))
        assert rights(application, "tester_app") == NEEDED
        with psycopg.connect(owner) as connection:
            connection.execute("ALTER TABLE users ADD COLUMN later integer")
            connection.execute("DROP FUNCTION guard_audit_log CASCADE")
    finally:
        postgres.drop("tester")
        with postgres.server.connect() as connection:
            connection.execute("DROP ROLE IF EXISTS tester_before, tester_owner, tester_app")


def as_version_1_0(postgres: EmbeddedPostgres) -> None:
    """One role, a superuser, which owns all."""
    with postgres.connect() as connection:
        connection.execute(f"ALTER DATABASE chat OWNER TO {ADMINISTRATOR}".encode())
        connection.execute(f"DROP ROLE {OWNER}, {APPLICATION}".encode())
    for role in (OWNER, APPLICATION):
        (postgres.directory / f"password.{role}").unlink()
    migrate(sqlalchemy(postgres.url(role=ADMINISTRATOR)))
    with postgres.connect("chat") as connection:
        connection.execute(
            "INSERT INTO users (id, email, first_name, last_name, password_hash)"
            " VALUES (gen_random_uuid(), 'ada@example.org', 'Ada', 'Lovelace', '!')"
        )


def test_only_the_owner_of_data_dir_can_read_the_passwords() -> None:
    with public_directory() as directory:
        postgres = EmbeddedPostgres(directory / "postgres", options=HASTY)
        for role in (ADMINISTRATOR, OWNER, APPLICATION):
            assert postgres.password_of(role) == EmbeddedPostgres(Path(postgres.directory)).password_of(role)
        files = sorted((directory / "postgres").iterdir())
        assert len({file.read_text() for file in files}) == 3
        assert [file.stat().st_mode & 0o077 for file in files] == [0, 0, 0]
