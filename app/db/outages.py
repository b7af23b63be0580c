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


def busy() -> Unavailable:
    """What was wanted waits for others; it is not stored."""
    return Unavailable("busy", "This is busy for the moment: try again.")


def meaning(error: Exception) -> ChatError | None:
    """What an error of the driver means to whoever asked; None: it is ours."""
    if getattr(error, "sqlstate", None) in BUSY_STATES:
        return busy()
    return Unavailable(*AWAY) if isinstance(error, psycopg.OperationalError) else None


def translate(context: ExceptionContext) -> ChatError | None:
    """Turn what a lost or busy database raises into our errors where it arises, not on its way out.

    A generator dependency that raises another exception than the one thrown into it ends as an ExceptionGroup.
    """
    if not isinstance(context.original_exception, Exception):
        return None  # a cancellation, which also costs the connection: it must stay one, or who cancels waits for ever
    return meaning(context.original_exception) or (Unavailable(*AWAY) if context.is_disconnect else None)


@contextmanager
def told_as_away() -> Iterator[None]:
    """Turn a pool that has no connection in time, or cannot make one, into `Unavailable`."""
    try:
        yield
    except (PoolTimeout, TimeoutError) as error:
        raise Unavailable(*AWAY) from error
