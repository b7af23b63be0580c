"""Translates driver and pool errors into the chat's errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from prometheus_client import Counter
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.domain.error_catalogue import busy, database_unavailable
from app.domain.errors import ChatError

BUSY_STATES = frozenset({"55P03", "40P01", "40001", "57014"})
"""SQLSTATEs after which a retry may succeed: lock timeout, deadlock, serialization failure, statement timeout."""

NO_PRIMARY_STATES = frozenset({"25006"})
"""SQLSTATEs of a server that refuses writes: a standby, a demoted primary, or one whose disk is full. Other states of
an unusable server (shutdown, recovery, startup) are OperationalErrors of the driver."""


def as_chat_error(error: Exception) -> ChatError | None:
    """Returns the error the caller receives for a driver error, or None if the fault is ours."""
    if getattr(error, "sqlstate", None) in BUSY_STATES:
        return busy()
    if isinstance(error, psycopg.OperationalError) or is_read_only_error(error):
        return database_unavailable()
    return None


def is_read_only_error(error: BaseException | None) -> bool:
    """True if the error means that this server is not a primary: its connections are useless, and another server may
    be the primary."""
    return getattr(error, "sqlstate", None) in NO_PRIMARY_STATES


def translate(context: ExceptionContext) -> ChatError | None:
    """Translates errors of a lost or busy database where they are raised, not on their way out.

    A generator dependency that raises an exception other than the one thrown into it ends as an ExceptionGroup.
    """
    if not isinstance(context.original_exception, Exception):
        return None  # a cancellation also loses the connection; it must stay one, or the canceller waits forever
    if is_read_only_error(context.original_exception):
        context.is_disconnect = True  # drops the whole pool: new connections find the new primary
    return as_chat_error(context.original_exception) or (database_unavailable() if context.is_disconnect else None)


POOL_TIMEOUTS = Counter("chat_database_pool_timeouts", "Requests that found no free connection in time.")


@contextmanager
def report_outages() -> Iterator[None]:
    """Raises `Unavailable` if the pool has no connection in time, or cannot open one."""
    try:
        yield
    except (PoolTimeout, TimeoutError) as error:
        if isinstance(error, PoolTimeout):
            POOL_TIMEOUTS.inc()
        raise database_unavailable() from error
