"""Recognises a database that a newer version of the chat has migrated, as a rollback leaves it.

Revisions are numbered in the order in which they apply, so a higher number than the newest known revision follows it. A
migration leaves everything that processes of the release before it use, because they continue while the new ones start:
that release therefore also runs after a rollback.
"""

from __future__ import annotations

from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from app.db.legacy_schema import LAST_REPLACED, REPLACED, SchemaRefused


def newer_than_known(context: MigrationContext, scripts: ScriptDirectory) -> str:
    """Returns a sentence if the database is at a revision after the newest in `scripts`, otherwise an empty string.

    Raises SchemaRefused for an unknown revision that is not newer.
    """
    found = context.get_current_revision()
    newest = scripts.get_current_head() or ""
    known = {script.revision for script in scripts.walk_revisions()} | REPLACED | {LAST_REPLACED}
    if found is None or found in known:
        return ""
    if not found.isdecimal() or int(found) < int(newest):
        raise SchemaRefused(
            f"The database is at version {found}, which this version of the chat does not know: run the version that"
            " migrated it."
        )
    return (
        f"The database is at version {found}, to which a newer version of the chat migrated it; this version knows"
        f" {newest} and changes nothing. docs/operations.md says under Roll back which versions may run on it."
    )
