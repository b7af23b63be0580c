"""The character type of the embedded database, by which letters of all scripts are letters; and its conversion.

The builtin provider of Postgres lowers Greek and Russian, but `pg_trgm` asks the C library which characters are
letters, by `LC_CTYPE`. With `C` its index holds ASCII only. A database keeps the character type it was made with, so
that of an earlier version is copied into a new one: `chat convert-database`.
"""

from __future__ import annotations

import locale
import subprocess
from contextlib import ExitStack
from functools import cache
from typing import TYPE_CHECKING, Final

from psycopg import sql

from app.local import ownership
from app.local.processes import StartRefused

if TYPE_CHECKING:
    from app.local.postgres import EmbeddedPostgres

CANDIDATES: Final = ("C.UTF-8", "en_US.UTF-8", "UTF-8")
"""Character types with the letters of Unicode, in the order of preference: glibc and musl, older glibc, macOS."""

CONVERTED: Final = "chat_converted"
BEFORE: Final = "chat_before_conversion"


@cache
def character_type() -> str:
    """The name by which this machine knows the letters of Unicode. Raises StartRefused when it has none."""
    before = locale.setlocale(locale.LC_CTYPE)
    try:
        for name in CANDIDATES:
            try:
                locale.setlocale(locale.LC_CTYPE, name)
            except locale.Error:
                continue
            return name
    finally:
        locale.setlocale(locale.LC_CTYPE, before)
    raise StartRefused(
        f"This machine has no UTF-8 locale ({' or '.join(CANDIDATES[:2])}), and without one names outside ASCII "
        "cannot be searched well: install one, or set DATABASE_URL to a database of your own."
    )


def convert(postgres: EmbeddedPostgres) -> str:
    """Copies the database `chat` of a running server into one that knows the letters of all scripts and puts that in
    its place; the former one is kept under another name. Answers with a sentence. Raises StartRefused; then `chat` is
    what it was."""
    if postgres.knows_letters():
        return "The database knows the letters of all scripts already; nothing was changed."
    with postgres.connect() as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [BEFORE]).fetchone():
            raise StartRefused(f"A database {BEFORE} of an earlier conversion is there: drop or rename it first.")
        # Of a conversion that was interrupted.
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
        {"PGPASSWORD": postgres.password_of(ownership.ADMINISTRATOR), "LC_ALL": "C"},
    )

    def command(program: str, *arguments: str) -> list[str]:
        url = ["--host=127.0.0.1", f"--port={postgres.port}", f"--username={ownership.ADMINISTRATOR}", "--no-password"]
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
        raise StartRefused("The database could not be copied; the reason stands above, and nothing was changed.")
