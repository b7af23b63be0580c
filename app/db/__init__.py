"""The database's edge: begin → yield a session → COMMIT → hand over what was recorded. The only commit there is.

What is one statement alone, and hot, is a transaction of its own without BEGIN and COMMIT (`single`): two round trips
and most of the work around them are saved.

Nothing leaves before COMMIT: what verbs record (`app.domain.events.record`) is handed over afterwards, even if the
caller was cancelled meanwhile. A connection lost during COMMIT is `OutcomeUnknown`; one lost earlier is `Unavailable`.
No transaction outlives `TRANSACTION_SECONDS`, no lock is waited for longer than a second.
"""

from app.db.autocommit import AutocommitStatement
from app.db.database import Database, ReadOnly, Session
from app.db.engine import open_engine

__all__ = ["AutocommitStatement", "Database", "ReadOnly", "Session", "open_engine"]
