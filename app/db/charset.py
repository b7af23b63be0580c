"""What the chat needs of a database's encoding and character type.

Without UTF-8 some messages cannot be stored. Where `lower` knows the letters of ASCII only, `é@example.org` and
`É@example.org` are two accounts; where `pg_trgm` does, its index does not help to find a Greek name.
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
    """The chat cannot be kept in this database; the message is a sentence."""


def verify(connection: Connection) -> str:
    """Checks the database before it is migrated. Returns a warning, or an empty text.

    Raises CharsetRefused for an encoding other than UTF-8, and for a new database that knows the letters of ASCII only.
    An existing chat in such a database goes on with the warning.
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
