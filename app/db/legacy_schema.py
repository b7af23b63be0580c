"""Recognises databases of versions between release 1.0.0 and the next, whose revisions became one, `0012`.

A database at the last of these revisions has the tables of `0012`. It is compared with a schema that the revisions make
beside it, receives the function of `0012` in place of its own and the columns that `0012` adds, and is marked as being
at `0012`. A database at any revision before is refused.
"""

from __future__ import annotations

from typing import Final

from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from app.db.schema_catalogue import Objects, differences, objects

LAST_REPLACED: Final = "0011"
REPLACED: Final = frozenset(f"{number:04}" for number in range(2, 11))
REPLACEMENT: Final = "0012"

_SCHEMA: Final = "public"
_EXPECTED: Final = "chat_expected"
_FORMER_FUNCTIONS: Final = (
    "uuid[], json",
    "uuid[], uuid[], uuid[], uuid[], text[], bytea[], text[], text[], text[], bigint[], boolean[], text[]",
)
ADDED: Final = frozenset(
    {
        "column memberships.left_first_name",
        "column memberships.left_last_name",
        "index ix_memberships_left_names of memberships",
    }
)
"""What `0012` has in addition to the tables of revision `0011`."""

MAX_NAMED: Final = 5


class SchemaRefused(Exception):
    """The database has a schema that cannot be migrated. The message is a sentence."""


def adopt(context: MigrationContext, scripts: ScriptDirectory) -> None:
    """Marks a database at revision `0011` as being at `0012`, after comparing its schema. Leaves others unchanged.

    Raises SchemaRefused for a database at one of the revisions 0002 to 0010, and for a schema that differs.
    """
    found = set(context.get_current_heads())
    if between := found & REPLACED:
        raise SchemaRefused(
            f"The database is at revision {min(between)}, which was never released: check out the last commit that has"
            f" revision {LAST_REPLACED} in alembic/versions, run `chat migrate` there, then run it with this version."
        )
    if LAST_REPLACED not in found:
        return
    connection = context.connection
    assert connection is not None
    if wrong := differences(
        _without_send_functions(objects(connection, _SCHEMA)), _expected(connection, context, scripts)
    ):
        raise SchemaRefused(
            f"The database is at revision {LAST_REPLACED}, but its schema is not the one that this revision made:"
            f" {_summary(wrong)}. Undo these changes, and then migrate again."
        )
    for arguments in _FORMER_FUNCTIONS:
        connection.execute(text(f"DROP FUNCTION IF EXISTS send_messages ({arguments})"))
    replacement = scripts.get_revision(REPLACEMENT).module
    connection.execute(text(replacement.LEFT_NAMES))
    connection.execute(text(replacement.SEND_MESSAGES))
    # Not by `context.stamp`, which looks the former revision up among the scripts.
    connection.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": REPLACEMENT})


def _expected(connection: Connection, context: MigrationContext, scripts: ScriptDirectory) -> Objects:
    """Returns the schema of revision `0011`: what the revisions make, without `ADDED`.

    They make it in a schema of its own that is rolled back.
    """
    trial = connection.begin_nested()
    try:
        connection.execute(text(f"CREATE SCHEMA {_EXPECTED}"))
        connection.execute(text(f"SET LOCAL search_path = {_EXPECTED}, {_SCHEMA}"))
        with Operations.context(context):
            for step in reversed(list(scripts.walk_revisions("base", REPLACEMENT))):
                step.module.upgrade()
        made = _without_send_functions(objects(connection, _EXPECTED))
        return {name: definition for name, definition in made.items() if name not in ADDED}
    finally:
        trial.rollback()


def _without_send_functions(found: Objects) -> Objects:
    return {name: definition for name, definition in found.items() if not name.startswith("function send_messages(")}


def _summary(wrong: list[str]) -> str:
    more = len(wrong) - MAX_NAMED
    return "; ".join(wrong[:MAX_NAMED]) + (f"; and {more} more" if more > 0 else "")
