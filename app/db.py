"""The database's edge: begin → yield a session → COMMIT → hand over what was recorded. The only commit there is.

What is one statement alone, and hot, is a transaction of its own without BEGIN and COMMIT (`single`): two round trips
and most of the work around them are saved.

Nothing leaves before COMMIT: what verbs record (`app.domain.events.record`) is handed over afterwards, even if the
caller was cancelled meanwhile. A connection lost during COMMIT is `OutcomeUnknown`; one lost earlier is `Unavailable`.
No transaction outlives `TRANSACTION_SECONDS`, no lock is waited for longer than a second.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cache
from typing import Any, Concatenate, ParamSpec, TypeVar

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import namedtuple_row
from sqlalchemy import Dialect, TextClause, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from app.domain.errors import ChatError, OutcomeUnknown, Unavailable
from app.domain.events import Errand, Outgoing, entrusted, recorded

P = ParamSpec("P")
T = TypeVar("T")

CONNECT_SECONDS = 3
POOL_SECONDS = 3
TRANSACTION_SECONDS = 20
MOST_ENDED = 16
"""More than lie in a pool. A server that says something to every new connection is not asked for ever."""

SESSION_SETTINGS = {
    "timezone": "UTC",
    "lock_timeout": "1s",
    "statement_timeout": "10s",
    "idle_in_transaction_session_timeout": "5s",
}
AWAY = ("database_unavailable", "The database is away: try again.")
BUSY_STATES = frozenset({"55P03", "40P01", "40001", "57014"})
"""SQLSTATEs after which trying again may help: lock timeout, deadlock, serialization, statement timeout."""

Session = AsyncSession
"""What handlers and tasks call the session in which a transaction runs."""

Look = AsyncConnection
"""What a single reading statement runs on."""


class Single:
    """Runs one statement that is a transaction of its own: Postgres has committed it before it says that it is done.

    It goes to the driver: the statement is compiled once, and what comes back are plain tuples with names. `info` is
    where events are recorded, as in a session.
    """

    def __init__(self, connection: psycopg.AsyncConnection[Any], dialect: Dialect) -> None:
        self._connection = connection
        self._dialect = dialect
        self.info: dict[Any, Any] = {}

    async def execute(self, statement: TextClause, parameters: Mapping[str, Any]) -> list[Any]:
        """The rows.

        Raises:
            OutcomeUnknown: the connection was lost meanwhile: it may be committed or not.
            Unavailable: it was refused for now.
        """
        cursor = self._connection.cursor(row_factory=namedtuple_row)
        try:
            await cursor.execute(_compiled(statement, self._dialect), parameters, prepare=True)
            rows = await cursor.fetchall()
        except psycopg.Error as error:
            if self._connection.closed:
                raise OutcomeUnknown from error
            meaning = _meaning(error)
            if meaning is None:
                raise
            raise meaning from error
        if self._connection.info.transaction_status != TransactionStatus.IDLE:
            raise OutcomeUnknown  # a transaction is still open: nothing is committed, whatever was answered
        return rows


HandOver = Callable[[list[Outgoing]], Awaitable[None]]
Entrust = Callable[[list[Errand]], None]
"""Never waits, never raises."""


async def _nowhere(events: list[Outgoing]) -> None:
    """The hand-over of a process that tells nobody."""


def _to_nobody(_: list[Errand]) -> None:
    """Errands of a process without a queue: the sweeps find them in the rows."""


def open_engine(url: str, *, pool_size: int = 10) -> AsyncEngine:
    """An engine on `url` (postgresql+psycopg://…) whose every wait has an end: connecting, pool, locks, statements."""
    options = " ".join(f"-c {name}={value}" for name, value in SESSION_SETTINGS.items())
    engine = create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=POOL_SECONDS,
        pool_use_lifo=True,
        # What a failing statement was given is what people wrote: it is nobody's business in logs and events.
        hide_parameters=True,
        connect_args={
            "connect_timeout": CONNECT_SECONDS,
            "options": options,
            "application_name": "chat",
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
            "tcp_user_timeout": 10_000,
            "prepare_threshold": 1,
        },
    )

    @event.listens_for(engine.sync_engine, "connect")
    def _bound_transactions(connection: psycopg.Connection[object], _: object) -> None:
        # Postgres 17 ends long transactions itself; before it, our own deadline below is the only one.
        if connection.info.server_version >= 170000:
            with connection.cursor() as cursor:
                cursor.execute(f"SET transaction_timeout = '{TRANSACTION_SECONDS}s'")
            # Or the first transaction that is rolled back takes the setting with it.
            connection.commit()

    event.listen(engine.sync_engine, "handle_error", _translate)
    return engine


class Database:
    """One engine and the one way to use it."""

    def __init__(self, engine: AsyncEngine, hand_over: HandOver = _nowhere, entrust: Entrust = _to_nobody) -> None:
        self.engine = engine
        self.hand_over = hand_over
        self.entrust = entrust
        self._sessions = async_sessionmaker(engine, expire_on_commit=False, autoflush=False)
        self._looks = engine.execution_options(isolation_level="AUTOCOMMIT")

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """One transaction, committed at the end of the block, rolled back by any exception.

        Raises:
            Unavailable: the database is away, its pool is exhausted, or a lock was not to be had.
            OutcomeUnknown: the connection was lost while committing.
        """
        async with asyncio.timeout(TRANSACTION_SECONDS), self._sessions() as session:
            await _connect(session)
            yield session
            await _commit(session)
        await self._committed(session)

    @asynccontextmanager
    async def single(self) -> AsyncIterator[Single]:
        """For one statement that changes things, and is a transaction of its own.

        Raises:
            Unavailable: the database is away, its pool is exhausted, or a lock was not to be had.
            OutcomeUnknown: the connection was lost before the answer.
        """
        async with asyncio.timeout(TRANSACTION_SECONDS), self._living() as (connection, driver):
            single = Single(driver, self.engine.dialect)
            try:
                yield single
            except BaseException:
                if driver.closed or driver.info.transaction_status != TransactionStatus.IDLE:
                    await connection.invalidate()
                raise
        await self._committed(single)

    @asynccontextmanager
    async def look(self) -> AsyncIterator[Look]:
        """For one statement that only reads: its snapshot is its own, and BEGIN and COMMIT, two round trips, are saved.

        Several statements that must agree, and every change, take a `transaction`.

        Raises:
            Unavailable: the database is away, or its pool is exhausted.
        """
        async with asyncio.timeout(TRANSACTION_SECONDS), self._taken() as connection:
            yield connection

    @asynccontextmanager
    async def _taken(self) -> AsyncIterator[AsyncConnection]:
        async with AsyncExitStack() as stack:
            try:
                connection = await stack.enter_async_context(self._looks.connect())
            except (PoolTimeout, TimeoutError) as error:
                raise Unavailable(*AWAY) from error
            yield connection

    async def read(
        self, verb: Callable[Concatenate[Look, P], Awaitable[T]], *arguments: P.args, **named: P.kwargs
    ) -> T:
        """What `verb`, which reads with one statement, answers; raises what it raises, and as `look`."""
        async with self.look() as reader:
            return await verb(reader, *arguments, **named)

    @asynccontextmanager
    async def _living(self) -> AsyncIterator[tuple[AsyncConnection, psycopg.AsyncConnection[Any]]]:
        """A connection and the driver's own. Those that ended while they waited in the pool are passed over: who found
        out by sending something would not know what became of it."""
        for more in reversed(range(MOST_ENDED + 1)):
            async with self._taken() as connection:
                driver = (await connection.get_raw_connection()).driver_connection
                assert isinstance(driver, psycopg.AsyncConnection)
                if not more or not _has_ended(driver):
                    yield connection, driver
                    return
                # Not to be asked for another one: that would not be set to commit by itself.
                await connection.invalidate()

    async def _committed(self, by: AsyncSession | Single) -> None:
        events, errands = recorded(by), entrusted(by)
        if errands:
            self.entrust(errands)
        if events:
            # Committed: it must be told even if the caller hangs up now. The hand-over itself has a deadline.
            await asyncio.shield(asyncio.ensure_future(self.hand_over(events)))

    async def close(self) -> None:
        await self.engine.dispose()


def _has_ended(driver: psycopg.AsyncConnection[Any]) -> bool:
    if driver.closed:
        return True
    # Nobody has asked for anything: what is there to be read is a good-bye, or the end.
    poll = select.poll()
    poll.register(driver.fileno(), select.POLLIN)
    return bool(poll.poll(0))


async def _connect(session: AsyncSession) -> None:
    """Take a connection now, so that its absence is told here and not in the middle of a verb."""
    try:
        await session.connection()
    except (PoolTimeout, TimeoutError) as error:
        raise Unavailable(*AWAY) from error


async def _commit(session: AsyncSession) -> None:
    try:
        await session.commit()
    except Unavailable as error:
        raise OutcomeUnknown from error


def _translate(context: ExceptionContext) -> ChatError | None:
    """Turn what a lost or busy database raises into our errors where it arises, not on its way out.

    A generator dependency that raises another exception than the one thrown into it ends as an ExceptionGroup.
    """
    if not isinstance(context.original_exception, Exception):
        return None  # a cancellation, which also costs the connection: it must stay one, or who cancels waits for ever
    return _meaning(context.original_exception) or (Unavailable(*AWAY) if context.is_disconnect else None)


def _meaning(error: Exception) -> ChatError | None:
    """What an error of the driver means to whoever asked; None: it is ours."""
    if getattr(error, "sqlstate", None) in BUSY_STATES:
        return Unavailable("busy", "This is busy for the moment: try again.")
    return Unavailable(*AWAY) if isinstance(error, psycopg.OperationalError) else None


@cache
def _compiled(statement: TextClause, dialect: Dialect) -> bytes:
    """As the driver wants it. For statements that are made once."""
    return str(statement.compile(dialect=dialect)).encode()
