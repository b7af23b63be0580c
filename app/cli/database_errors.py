"""Why a command could not use the database, as a sentence instead of a traceback."""

from __future__ import annotations

import sys


def sentence_of(error: BaseException) -> str:
    """Returns the driver's reason if `error` was caused by an outage or a refusal of the database, otherwise nothing.
    It names server, role and database, and no password."""
    if "psycopg" not in sys.modules:
        return ""
    import psycopg

    seen: BaseException | None = error
    while seen is not None:
        # Other errors of this class, such as a lock timeout, have a SQLSTATE and belong to a statement.
        if isinstance(seen, psycopg.OperationalError) and not (seen.sqlstate or "").startswith(("55", "57014", "40")):
            reason = str(seen).strip().partition("\n")[0].removeprefix("connection failed: ").rstrip(".")
            return f"The database cannot be used: {reason}. Check DATABASE_URL and its server."
        seen = seen.__cause__ or seen.__context__
    return ""
