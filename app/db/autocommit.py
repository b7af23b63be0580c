"""Single statements that are transactions of their own, and the connections that stay with them between two uses.

Such a connection is set to commit by itself as it is taken from the pool. It is used past the pool from then on: being
taken and given back would cost a batch of one as much as a look-up in Redis.
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

from app.db.outages import meaning, report_outages, takes_no_writes
from app.domain.errors import OutcomeUnknown

MAX_CONCURRENT_CLOSES = 16
"""More than lie in a pool. A server that says something to every new connection is not asked for ever."""


class AutocommitStatement:
    """Runs one statement that is a transaction of its own: Postgres has committed it before it says that it is done.

    It goes to the driver: the statement is compiled once, and what comes back are plain tuples with names. `info` is
    where events are recorded, as in a session. `may_be_stored`: the statement was sent, and Postgres has not refused
    it. Whatever interrupts it then, a deadline above all, says nothing about what became of it.
    """

    def __init__(self, connection: psycopg.AsyncConnection[Any], dialect: Dialect) -> None:
        self._connection = connection
        self._dialect = dialect
        self.info: dict[Any, Any] = {}
        self.may_be_stored = False

    async def execute(self, statement: TextClause, parameters: Mapping[str, Any]) -> list[Any]:
        """The rows.

        Raises:
            OutcomeUnknown: the connection was lost meanwhile: it may be committed or not.
            Unavailable: it was refused for now.
        """
        cursor = self._connection.cursor(row_factory=namedtuple_row)
        self.may_be_stored = True
        try:
            await cursor.execute(_compiled(statement, self._dialect), parameters, prepare=True)
            rows = await cursor.fetchall()
        except psycopg.Error as error:
            if self._connection.closed:
                raise OutcomeUnknown from error
            self.may_be_stored = False
            if takes_no_writes(error):
                await self._connection.close()
            meant = meaning(error)
            if meant is None:
                raise
            raise meant from error
        if not _is_idle(self._connection):
            raise OutcomeUnknown  # a transaction is still open: nothing is committed, whatever was answered
        return rows


class Kept(NamedTuple):
    """A connection that is set to commit by itself, and the driver's own."""

    connection: AsyncConnection
    driver: psycopg.AsyncConnection[Any]


class AutocommitPool:
    """At most `keep` connections stay; `engine` makes connections that commit by themselves."""

    def __init__(self, engine: AsyncEngine, *, keep: int) -> None:
        self._engine = engine
        self._keep = keep
        self._kept: list[Kept] = []

    @asynccontextmanager
    async def open(self) -> AsyncIterator[AutocommitStatement]:
        """One on a living connection. Those that ended while they waited are passed over: who found out by sending
        something would not know what became of it.

        Raises:
            Unavailable: the database is away, or its pool is exhausted.
        """
        for more in reversed(range(MAX_CONCURRENT_CLOSES + 1)):
            async with AsyncExitStack() as stack:
                kept = self._kept.pop() if self._kept else await self._keepable()
                stack.push_async_exit(kept.connection)
                if more and _has_ended(kept.driver):
                    # Not to be asked for another one: that would not be set to commit by itself.
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

    async def _keepable(self) -> Kept:
        with report_outages():
            connection = await self._engine.connect()
        driver = (await connection.get_raw_connection()).driver_connection
        assert isinstance(driver, psycopg.AsyncConnection)
        return Kept(connection, driver)

    async def close(self) -> None:
        while self._kept:
            await self._kept.pop().connection.close()


def _is_idle(driver: psycopg.AsyncConnection[Any]) -> bool:
    return not driver.closed and driver.info.transaction_status == TransactionStatus.IDLE


def _has_ended(driver: psycopg.AsyncConnection[Any]) -> bool:
    if driver.closed:
        return True
    # Nobody has asked for anything: what is there to be read is a good-bye, or the end.
    poll = select.poll()
    poll.register(driver.fileno(), select.POLLIN)
    return bool(poll.poll(0))


@cache
def _compiled(statement: TextClause, dialect: Dialect) -> bytes:
    """As the driver wants it. For statements that are made once."""
    return str(statement.compile(dialect=dialect)).encode()
