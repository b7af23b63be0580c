"""Two roles: the owner migrates; the application's role reads and writes rows and can do nothing else.

The application's role owns nothing, so an injected statement can neither drop the audit triggers nor alter a table. It
gets privileges table by table, on the tables of the models: new tables, partitions and Alembic's table stay closed
until a migration grants more. The owner grants in the transaction of the migrations, so no process sees a table that it
may not use yet.
"""

from __future__ import annotations

from typing import Any, Final

import psycopg
from psycopg import sql
from sqlalchemy import MetaData

DEFAULT_PRIVILEGES: Final = ("SELECT", "INSERT", "UPDATE", "DELETE")
"""The application's privileges on a table, unless its model sets `info={"privileges": (…)}`."""

Connection = psycopg.Connection[Any]


class RoleRefused(Exception):
    """The roles cannot be set up as required. The message is a sentence."""


def warning(connection: Connection, role: str) -> str:
    """Returns a sentence if `role`, the application's, is a superuser, otherwise an empty string."""
    row = connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = %s", [role]).fetchone()
    if row is None or not row[0]:
        return ""
    return (
        f"The role '{role}' of DATABASE_URL is a superuser: an attacker who can send SQL through the chat owns the "
        'server. Give it a role of its own; see "Roles" in docs/operations.md.'
    )


def create(connection: Connection, role: str, password: str) -> None:
    """Creates `role` unless it exists. Raises RoleRefused if this connection's role may not create it."""
    if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone():
        return
    row = connection.execute("SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user").fetchone()
    if row is None or not row[0]:
        raise RoleRefused(
            f"DATABASE_URL: its role '{role}' does not exist, and the role of MIGRATE_DATABASE_URL may not create it. "
            f"Create it once with: CREATE ROLE {role} LOGIN PASSWORD '…'."
        )
    statement = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}")
    connection.execute(statement.format(sql.Identifier(role), hashed_password(connection, role, password)))


def hashed_password(connection: Connection, role: str, password: str) -> sql.Literal:
    """Returns `password` hashed as Postgres stores it, because the server may log the statement."""
    digest = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256")
    return sql.Literal(digest.decode())


def grant(connection: Connection, role: str, metadata: MetaData) -> None:
    """Grants `role` what the application needs and revokes everything else. Idempotent.

    The connection's role owns the tables. Raises RoleRefused if `role` owns them too, through a membership.
    """
    name = sql.Identifier(role)
    if _is_true(connection, "SELECT pg_has_role(%s, current_user, 'MEMBER') AND NOT rolsuper FROM pg_roles"
                       " WHERE rolname = %s", role, role):  # fmt: skip
        raise RoleRefused(
            f"DATABASE_URL: its role '{role}' is a member of the tables' owner, and so may drop them. "
            "Take the membership away with REVOKE."
        )
    if not _is_true(connection, "SELECT has_database_privilege(%s, current_database(), 'CONNECT')", role):
        database = sql.Identifier(connection.info.dbname)
        connection.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, name))
    if not _is_true(connection, "SELECT has_schema_privilege(%s, 'public', 'USAGE')", role):
        connection.execute(sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(name))
    if _is_true(connection, "SELECT has_schema_privilege(%s, 'public', 'CREATE')", role):
        # The default for PUBLIC in databases created before Postgres 15.
        connection.execute(sql.SQL("REVOKE CREATE ON SCHEMA public FROM PUBLIC, {}").format(name))
    existing = {
        str(name) for (name,) in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    }
    wanted = {
        (table.name, privilege)
        for table in metadata.sorted_tables
        if table.name in existing
        for privilege in table.info.get("privileges", DEFAULT_PRIVILEGES)
    }
    granted = {
        (str(table), str(privilege))
        for table, privilege in connection.execute(
            "SELECT relname, privilege_type FROM pg_class, aclexplode(relacl) one JOIN pg_roles r ON r.oid = grantee"
            " WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f') AND rolname = %s",
            [role],
        )
    }
    for table, privilege in sorted(wanted - granted):
        statement = sql.SQL("GRANT {} ON public.{} TO {}")
        connection.execute(statement.format(sql.SQL(privilege), sql.Identifier(table), name))
    for table, privilege in sorted(granted - wanted):
        statement = sql.SQL("REVOKE {} ON public.{} FROM {}")
        connection.execute(statement.format(sql.SQL(privilege), sql.Identifier(table), name))


def _is_true(connection: Connection, query: str, *values: str) -> bool:
    row = connection.execute(query.encode(), values).fetchone()
    return bool(row and row[0])
