"""Checks a database's encoding and character type.

Without UTF-8 some messages cannot be stored. If `lower` handles ASCII letters only, `é@example.org` and
`É@example.org` are two accounts; if `pg_trgm` does, its index does not find a Greek name.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, text

REMEDY: Final = "CREATE DATABASE chat TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'"

ASCII_ONLY: Final = (
    "knows the letters of ASCII only (its LC_CTYPE is C), so a search for names in other scripts misses some or is slow"
)

_FACTS: Final = text(
    "SELECT lower('ÉΩЯ') = 'éωя', datctype NOT IN ('C', 'POSIX'),"
    " to_regclass('alembic_version') IS NOT NULL FROM pg_database WHERE datname = current_database()"
)


class CharsetRefused(Exception):
    """The database is unsuitable for the chat. The message is a sentence."""


def verify(connection: Connection) -> str:
    """Checks the database before it is migrated. Returns a warning or an empty string.

    Raises CharsetRefused for an encoding other than UTF-8, and for a new database that handles ASCII letters only.
    An existing chat in such a database continues with the warning.
    """
    encoding = connection.execute(text("SELECT getdatabaseencoding()")).scalar_one()
    if encoding != "UTF8":
        raise CharsetRefused(
            f"DATABASE_URL: the database's encoding is {encoding}, and the chat needs UTF8. Make one with: {REMEDY}."
        )
    lowers, has_letters, in_use = connection.execute(_FACTS).one()
    if lowers and has_letters:
        return ""
    if not in_use:
        raise CharsetRefused(f"DATABASE_URL: the database {ASCII_ONLY}. Make one with: {REMEDY}.")
    return (
        f"The database {ASCII_ONLY}. `chat convert-database` converts the one that `chat up` made; "
        'for another, see "Letters of all scripts" in docs/operations.md.'
    )
