"""The roles of the embedded database: the owner of the chat's tables, and the application's, which owns nothing.

`chat` made the data directory and is a superuser: it makes, converts and watches databases and nothing else. In version
1.0 the application was that role too, and all tables were its own: a start gives them to the owner.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Final

from psycopg import sql

from app.db.privileges import hashed

if TYPE_CHECKING:
    from app.local.postgres import EmbeddedPostgres

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
"""Statements that give the owner what belongs to another role. What an extension made stays with the extension."""


def create(postgres: EmbeddedPostgres) -> None:
    """Makes the two roles, or gives them the passwords of `postgres.directory`."""
    with postgres.connect() as connection:
        for role in (OWNER, APPLICATION):
            there = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone()
            statement = sql.SQL("ALTER ROLE {} PASSWORD {}" if there else "CREATE ROLE {} LOGIN PASSWORD {}")
            connection.execute(
                statement.format(sql.Identifier(role), hashed(connection, role, postgres.password_of(role)))
            )


def give(postgres: EmbeddedPostgres, database: str) -> None:
    """Makes the owner the owner of this database and of all that the chat keeps in it."""
    with postgres.connect(database) as connection:
        connection.execute(
            sql.SQL("ALTER DATABASE {} OWNER TO {}").format(sql.Identifier(database), sql.Identifier(OWNER))
        )
        with connection.transaction():
            for (statement,) in connection.execute(_FOREIGN.encode()).fetchall():
                connection.execute(str(statement).encode())


def kept_password(directory: Path, role: str) -> str:
    """The password of a role, made once."""
    file = directory / ("password" if role == ADMINISTRATOR else f"password.{role}")
    if not file.exists():
        directory.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(secrets.token_urlsafe(24))
    return file.read_text()
