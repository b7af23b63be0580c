"""The database's edge: begin → yield a session → COMMIT → publish the recorded events. Nothing else commits.

A hot single statement runs as its own transaction without BEGIN and COMMIT (`autocommit`), which saves two round trips
and most of the work around them.

Nothing leaves before COMMIT: events that verbs record (`app.domain.events.record`) are published afterwards, even if
the caller has been cancelled. A connection lost during COMMIT raises `OutcomeUnknown`; one lost earlier raises
`Unavailable`. No transaction outlives `TRANSACTION_SECONDS`, and no statement waits over a second for a lock.
"""

from app.db.autocommit import AutocommitStatement
from app.db.database import Database, ReadOnly, Session
from app.db.engine import open_engine

__all__ = ["AutocommitStatement", "Database", "ReadOnly", "Session", "open_engine"]
