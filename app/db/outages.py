"""What an error of the driver or the pool means to whoever asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.domain.errors import ChatError, Unavailable

AWAY = ("database_unavailable", "The database is away: try again.")
BUSY_STATES = frozenset({"55P03", "40P01", "40001", "57014"})
"""SQLSTATEs after which trying again may help: lock timeout, deadlock, serialization, statement timeout."""

NO_PRIMARY_STATES = frozenset({"25006"})
"""SQLSTATEs of a server that takes no writes: a standby, a primary that was demoted, or one whose disk is full. The
other signs of a server that cannot serve now (shutdown, recovery, start) are OperationalErrors of the driver."""


def search_busy() -> Unavailable:
    return Unavailable("search_busy", "Too many searches are running. Try again, or search for more of the name.")


def busy() -> Unavailable:
    """What was wanted waits for others; it is not stored."""
    return Unavailable("busy", "This is busy for the moment: try again.")


def meaning(error: Exception) -> ChatError | None:
    """What an error of the driver means to whoever asked; None: it is ours."""
    if getattr(error, "sqlstate", None) in BUSY_STATES:
        return busy()
    if isinstance(error, psycopg.OperationalError) or takes_no_writes(error):
        return Unavailable(*AWAY)
    return None


def takes_no_writes(error: BaseException | None) -> bool:
    """Whether it says that this server is no primary: its connections are worth nothing, another server may be one."""
    return getattr(error, "sqlstate", None) in NO_PRIMARY_STATES


def translate(context: ExceptionContext) -> ChatError | None:
    """Turn what a lost or busy database raises into our errors where it arises, not on its way out.

    A generator dependency that raises another exception than the one thrown into it ends as an ExceptionGroup.
    """
    if not isinstance(context.original_exception, Exception):
        return None  # a cancellation, which also costs the connection: it must stay one, or who cancels waits for ever
    if takes_no_writes(context.original_exception):
        context.is_disconnect = True  # with it goes the whole pool: the next connections find the new primary
    return meaning(context.original_exception) or (Unavailable(*AWAY) if context.is_disconnect else None)


@contextmanager
def report_outages() -> Iterator[None]:
    """Turn a pool that has no connection in time, or cannot make one, into `Unavailable`."""
    try:
        yield
    except (PoolTimeout, TimeoutError) as error:
        raise Unavailable(*AWAY) from error
