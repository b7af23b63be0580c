"""The roles of the embedded database: one owns the chat's tables, and the application's role owns nothing.

The superuser `chat` created the data directory; it only creates, converts and monitors databases. In version 1.0 the
application used `chat` too, so its tables belonged to `chat`: a start transfers them to the owner role.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from psycopg import Connection, sql

from app.db.privileges import hashed_password

ADMINISTRATOR: Final = "chat"
OWNER: Final = "chat_owner"
APPLICATION: Final = "chat_app"

_FOREIGN: Final = """
SELECT format('ALTER TABLE %s OWNER TO {owner}', c.oid::regclass) FROM pg_class c
 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
   AND c.relowner <> '{owner}'::regrole
   AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                   AND (d.deptype = 'e' OR (c.relkind = 'S' AND d.deptype IN ('a', 'i'))))
UNION ALL
SELECT format('ALTER ROUTINE %s OWNER TO {owner}', p.oid::regprocedure) FROM pg_proc p
 WHERE p.pronamespace = 'public'::regnamespace AND p.proowner <> '{owner}'::regrole
   AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid
                   AND d.deptype = 'e')
""".replace("{owner}", OWNER)
"""Generates the statements that transfer objects of other roles to the owner. Extensions keep their own objects."""


def create_roles(connection: Connection[Any], password_of: Callable[[str], str]) -> None:
    """Creates the two roles, or sets their passwords to `password_of(role)`."""
    for role in (OWNER, APPLICATION):
        there = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone()
        statement = sql.SQL("ALTER ROLE {} PASSWORD {}" if there else "CREATE ROLE {} LOGIN PASSWORD {}")
        connection.execute(statement.format(sql.Identifier(role), hashed_password(connection, role, password_of(role))))


def transfer(connection: Connection[Any], database: str) -> None:
    """Transfers the connected database and the chat's objects in it to the owner role."""
    connection.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(sql.Identifier(database), sql.Identifier(OWNER)))
    with connection.transaction():
        for (statement,) in connection.execute(_FOREIGN.encode()).fetchall():
            connection.execute(str(statement).encode())


def kept_password(directory: Path, role: str) -> str:
    """Returns the password of `role`. The first call generates and stores it."""
    file = directory / ("password" if role == ADMINISTRATOR else f"password.{role}")
    if not file.exists():
        directory.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(secrets.token_urlsafe(24))
    return file.read_text()
