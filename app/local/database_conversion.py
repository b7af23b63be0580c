"""Converts an embedded database that has no Unicode character type (`character_type`).

A database's character type cannot be changed, so `chat convert-database` copies a database of an earlier version into a
new one.
"""

from __future__ import annotations

import subprocess
from contextlib import ExitStack
from typing import Final

from psycopg import sql

from app.local import database_roles
from app.local.postgres import EmbeddedPostgres
from app.local.processes import StartRefused

CONVERTED: Final = "chat_converted"
BEFORE: Final = "chat_before_conversion"


def convert(postgres: EmbeddedPostgres) -> str:
    """Copies the database `chat` of a running server into one with a Unicode character type and swaps their names;
    the old database is kept as `BEFORE`. Returns a sentence for the operator. Raises StartRefused; `chat` is then
    unchanged."""
    if postgres.has_unicode_character_type():
        return "The database knows the letters of all scripts already; nothing was changed."
    with postgres.connect() as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [BEFORE]).fetchone():
            raise StartRefused(f"A database {BEFORE} of an earlier conversion is there: drop or rename it first.")
        # Left by an interrupted conversion.
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(CONVERTED)))
    postgres.create_database(CONVERTED)
    _copy(postgres)
    with postgres.connect() as connection, connection.transaction():
        for old, new in (("chat", BEFORE), (CONVERTED, "chat")):
            connection.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(*map(sql.Identifier, (old, new))))
    return f"The database is converted. The former one is kept as {BEFORE}."


def _copy(postgres: EmbeddedPostgres) -> None:
    programs, environment = (
        postgres.account.binaries,
        {"PGPASSWORD": postgres.password_of(database_roles.ADMINISTRATOR), "LC_ALL": "C"},
    )

    def command(program: str, *arguments: str) -> list[str]:
        url = [
            "--host=127.0.0.1",
            f"--port={postgres.port}",
            f"--username={database_roles.ADMINISTRATOR}",
            "--no-password",
        ]
        return [str(programs / program), *url, *arguments]

    with ExitStack() as stack:
        dump = stack.enter_context(
            subprocess.Popen(
                command("pg_dump", "--format=custom", "--compress=none", "chat"),
                stdout=subprocess.PIPE,
                env=environment,
            )
        )
        restore = subprocess.run(
            command("pg_restore", "--exit-on-error", "--single-transaction", f"--dbname={CONVERTED}"),
            stdin=dump.stdout,
            env=environment,
            check=False,
        )
    if dump.returncode or restore.returncode:
        raise StartRefused("The database could not be copied, for the reason shown above. Nothing was changed.")
