"""Runs single statements in autocommit mode, on connections kept between uses.

A connection is set to autocommit when it is taken from the pool, and bypasses the pool from then on: checking it out
and in would cost a batch of one as much as a Redis lookup.
"""

from __future__ import annotations

import select
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cache
from typing import Any, NamedTuple

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import namedtuple_row
from sqlalchemy import Dialect, TextClause
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.db.outages import as_chat_error, is_read_only_error, report_outages
from app.domain.error_catalogue import outcome_unknown

MAX_CONCURRENT_CLOSES = 16
"""More than a pool holds. Bounds the retries if the server writes to, or closes, every new connection."""


class AutocommitStatement:
    """Runs one statement as a transaction of its own: Postgres commits it before it reports completion.

    Calls the driver directly: the statement is compiled once, and rows are named tuples. Events are recorded in `info`,
    as in a session. `may_be_stored` is true once the statement was sent and Postgres has not refused it: after an
    interruption, such as a deadline, its outcome is then unknown.
    """

    def __init__(self, connection: psycopg.AsyncConnection[Any], dialect: Dialect) -> None:
        self._connection = connection
        self._dialect = dialect
        self.info: dict[Any, Any] = {}
        self.may_be_stored = False

    async def execute(self, statement: TextClause, parameters: Mapping[str, Any]) -> list[Any]:
        """Returns the rows.

        Raises:
            OutcomeUnknown: the connection was lost; the statement may be committed or not.
            Unavailable: Postgres refused it temporarily.
        """
        cursor = self._connection.cursor(row_factory=namedtuple_row)
        self.may_be_stored = True
        try:
            await cursor.execute(_compiled(statement, self._dialect), parameters, prepare=True)
            rows = await cursor.fetchall()
        except psycopg.Error as error:
            if self._connection.closed:
                raise outcome_unknown() from error
            self.may_be_stored = False
            if is_read_only_error(error):
                await self._connection.close()
            meant = as_chat_error(error)
            if meant is None:
                raise
            raise meant from error
        if not _is_idle(self._connection):
            raise outcome_unknown()  # a transaction is still open: nothing is committed, whatever the answer was
        return rows


class KeptConnection(NamedTuple):
    """An autocommit connection, and the driver's connection beneath it."""

    connection: AsyncConnection
    driver: psycopg.AsyncConnection[Any]


async def open_autocommit(engine: AsyncEngine) -> AsyncConnection:
    """Returns a connection in autocommit mode, which the caller closes.

    The mode is set here and not by an option of the engine: a caller that is cancelled while the engine sets it would
    leave the connection to the garbage collector, and the pool without it until then.

    Raises:
        Unavailable: the database is down, or the pool is exhausted.
    """
    with report_outages():
        connection = await engine.connect()
        try:
            await connection.execution_options(isolation_level="AUTOCOMMIT")
        except BaseException:
            await connection.close()
            raise
        return connection


class AutocommitPool:
    """Keeps at most `keep` connections of `engine`, in autocommit mode. `waiting` callers wait for one."""

    def __init__(self, engine: AsyncEngine, *, keep: int) -> None:
        self._engine = engine
        self._keep = keep
        self._kept: list[KeptConnection] = []
        self.waiting = 0

    @property
    def idle(self) -> int:
        """The number of connections kept and not in use."""
        return len(self._kept)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[AutocommitStatement]:
        """Yields a statement on a live connection. Skips connections that died while idle; discovering that by
        executing would leave the outcome unknown.

        Raises:
            Unavailable: the database is down, or the pool is exhausted.
        """
        for more in reversed(range(MAX_CONCURRENT_CLOSES + 1)):
            async with AsyncExitStack() as stack:
                kept = self._kept.pop() if self._kept else await self._keepable()
                stack.push_async_exit(kept.connection)
                if more and _has_ended(kept.driver):
                    # Do not reconnect through it: the new connection would not be in autocommit mode.
                    await kept.connection.invalidate()
                    continue
                try:
                    yield AutocommitStatement(kept.driver, self._engine.dialect)
                finally:
                    if not _is_idle(kept.driver):
                        await kept.connection.invalidate()
                    elif len(self._kept) < self._keep:
                        self._kept.append(kept)
                        stack.pop_all()
                return

    async def _keepable(self) -> KeptConnection:
        self.waiting += 1
        try:
            connection = await open_autocommit(self._engine)
        finally:
            self.waiting -= 1
        try:
            driver = (await connection.get_raw_connection()).driver_connection
        except BaseException:
            await connection.close()
            raise
        assert isinstance(driver, psycopg.AsyncConnection)
        return KeptConnection(connection, driver)

    async def close(self) -> None:
        while self._kept:
            await self._kept.pop().connection.close()


def _is_idle(driver: psycopg.AsyncConnection[Any]) -> bool:
    return not driver.closed and driver.info.transaction_status == TransactionStatus.IDLE


def _has_ended(driver: psycopg.AsyncConnection[Any]) -> bool:
    if driver.closed:
        return True
    # No query is running, so readable data is a termination notice or EOF.
    poll = select.poll()
    poll.register(driver.fileno(), select.POLLIN)
    return bool(poll.poll(0))


@cache
def _compiled(statement: TextClause, dialect: Dialect) -> bytes:
    """Compiles for the driver. Only for constant statements: the cache is unbounded."""
    return str(statement.compile(dialect=dialect)).encode()
