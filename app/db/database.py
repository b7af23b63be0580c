"""Transactions: begin → yield a session → COMMIT → publish the recorded events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Concatenate, Literal, NamedTuple, ParamSpec, TypeVar

from prometheus_client import Counter
from sqlalchemy import QueuePool, event, orm, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, async_sessionmaker

from app.db.autocommit import AutocommitPool, AutocommitStatement, open_autocommit
from app.db.engine import TRANSACTION_SECONDS
from app.db.outages import report_outages
from app.domain.error_catalogue import busy, database_unavailable, outcome_unknown, search_busy
from app.domain.errors import ChatError, OutcomeUnknown, Unavailable
from app.domain.events import FollowUp, Outgoing, follow_ups, recorded

P = ParamSpec("P")
T = TypeVar("T")

Session = AsyncSession
"""The session of a transaction, as handlers and tasks name it."""

ReadOnly = AsyncConnection
"""The connection of a single read-only statement."""


READ_ONLY = text("SHOW transaction_read_only")
"""Also "on" during recovery."""

MAX_CONCURRENT_SEARCHES = 2
SEARCH_SECONDS = 1.0
"""Limit for the wait, and again for the statement. A search that uses an index takes milliseconds."""

_SEARCH_SETTINGS = text(
    # A generic plan cannot use a prefix index, and is slowest for rare names.
    "SELECT set_config('statement_timeout', '1s', true), set_config('plan_cache_mode', 'force_custom_plan', true)"
)

COMMITS = Counter("chat_commits", "Transactions by outcome, those that only read included.", ["outcome"])
_COMMITTED, _UNKNOWN = COMMITS.labels("committed"), COMMITS.labels("unknown")

Publish = Callable[[list[Outgoing]], Awaitable[None]]
Enqueue = Callable[[list[FollowUp]], None]
"""Must not block and must not raise."""


async def _publish_nothing(events: list[Outgoing]) -> None:
    """Publishes nothing: for processes without a bus."""


def _enqueue_nothing(_: list[FollowUp]) -> None:
    """Drops follow-ups in processes without a queue; the sweeps find them in the rows."""


class _OrmSession(orm.Session):
    """The synchronous session beneath each `Session`, with listeners of its own."""


@event.listens_for(_OrmSession, "do_orm_execute")
def _leave_objects_unchanged(execution: orm.ORMExecuteState) -> None:
    """An UPDATE or DELETE changes rows only. Finding the session's objects of these rows would cost a pass over all of
    them, and nothing reads a row through an object that was loaded before it changed."""
    if execution.is_update or execution.is_delete:
        execution.update_execution_options(synchronize_session=False)


class PoolUsage(NamedTuple):
    """Connections of one pool: how many it may open, how many are in use, and how many callers wait for one."""

    size: int
    in_use: int
    waiting: int


class Database:
    """The only way to use an engine. `autocommit` keeps at most `keep` connections between uses."""

    def __init__(
        self,
        engine: AsyncEngine,
        publish: Publish = _publish_nothing,
        enqueue: Enqueue = _enqueue_nothing,
        *,
        keep: int = 0,
    ) -> None:
        self.engine = engine
        self.publish = publish
        self.enqueue = enqueue
        self._sessions = async_sessionmaker(
            engine, sync_session_class=_OrmSession, expire_on_commit=False, autoflush=False
        )
        self._autocommit_pool = AutocommitPool(engine, keep=keep)
        self._waiting = 0
        self._searches = asyncio.Semaphore(MAX_CONCURRENT_SEARCHES)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """Opens a transaction; commits it at the end of the block, rolls it back on any exception.

        Raises:
            Unavailable: the database is down, the pool is exhausted, or a lock or the transaction timed out.
            OutcomeUnknown: the connection was lost or the deadline passed during COMMIT.
        """
        committing = False
        with _deadline(lambda: committing) as deadline:
            async with deadline, self._sessions() as session:
                await self._connect(session)
                yield session
                committing = True
                await _commit(session)
        await self._committed(session)

    @asynccontextmanager
    async def autocommit(self) -> AsyncIterator[AutocommitStatement]:
        """Runs one writing statement as a transaction of its own.

        Raises:
            Unavailable: the database is down, the pool is exhausted, or a lock or the transaction timed out.
            OutcomeUnknown: the connection was lost, the deadline passed, or the block failed after the statement was
                sent and not refused.
        """
        statement: AutocommitStatement | None = None
        with _deadline(lambda: statement is not None and statement.may_be_stored) as deadline:
            async with deadline, self._autocommit_pool.open() as statement:
                try:
                    yield statement
                except ChatError:
                    raise
                except Exception as error:
                    if statement.may_be_stored:
                        raise outcome_unknown() from error
                    raise
        await self._committed(statement)

    @asynccontextmanager
    async def read_only(self) -> AsyncIterator[ReadOnly]:
        """Opens a connection for one read-only statement with its own snapshot. Saves the round trips of BEGIN and
        COMMIT.

        Use `transaction` for statements that must agree, and for every change.

        Raises:
            Unavailable: the database is down, the pool is exhausted, or the deadline passed.
        """
        with _deadline(lambda: False) as deadline:
            async with deadline, AsyncExitStack() as stack:
                self._waiting += 1
                try:
                    connection = await open_autocommit(self.engine)
                finally:
                    self._waiting -= 1
                stack.push_async_exit(connection)
                yield connection

    async def verify(self) -> None:
        """Checks that the server accepts writes.

        Raises:
            Unavailable: the database is down, or the server is read-only; its connections are then dropped.
        """
        async with self.read_only() as connection:
            if (await connection.execute(READ_ONLY)).scalar_one() == "on":
                await connection.invalidate()
                raise database_unavailable()

    async def _connect(self, session: AsyncSession) -> None:
        """Takes a connection now, so that an outage is raised here and not in the middle of a verb."""
        self._waiting += 1
        try:
            with report_outages():
                await session.connection()
        finally:
            self._waiting -= 1

    async def read(
        self, verb: Callable[Concatenate[ReadOnly, P], Awaitable[T]], *arguments: P.args, **named: P.kwargs
    ) -> T:
        """Returns the result of `verb`, which runs one read-only statement. Raises as `verb` and `read_only` do."""
        async with self.read_only() as reader:
            return await verb(reader, *arguments, **named)

    async def search(
        self, verb: Callable[Concatenate[Session, P], Awaitable[T]], *arguments: P.args, **named: P.kwargs
    ) -> T:
        """Returns the result of `verb`, a search by parts of names. A process runs two searches at once, each for at
        most a second, so that searches leave the other connections to conversations.

        Raises:
            Unavailable: `search_busy`, or as `transaction`. Also what `verb` raises.
        """
        try:
            async with asyncio.timeout(SEARCH_SECONDS):
                await self._searches.acquire()
        except TimeoutError:
            raise search_busy() from None
        try:
            async with self.transaction() as session:
                await session.execute(_SEARCH_SETTINGS)
                return await verb(session, *arguments, **named)
        except Unavailable as error:
            if error.code != "busy":
                raise
            raise search_busy() from error
        finally:
            self._searches.release()

    async def _committed(self, by: AsyncSession | AutocommitStatement) -> None:
        _COMMITTED.inc()
        events, pending = recorded(by), follow_ups(by)
        if pending:
            self.enqueue(pending)
        if events:
            # Committed: publish even if the caller is cancelled now. Publishing has its own deadline.
            await asyncio.shield(asyncio.ensure_future(self.publish(events)))

    def pool_usage(self) -> PoolUsage:
        """Returns how many connections are in use now, and how many callers wait for one."""
        pool = self.engine.pool
        assert isinstance(pool, QueuePool)
        return PoolUsage(
            size=pool.size(),
            in_use=pool.checkedout() - self._autocommit_pool.idle,
            waiting=self._waiting + self._autocommit_pool.waiting,
        )

    def cause_of(self, error: Exception) -> Literal["pool", "postgres"]:
        """Returns `pool` if the caller timed out while no connection was free: Postgres may be well."""
        pool = self.engine.pool
        assert isinstance(pool, QueuePool)
        return "pool" if isinstance(error, TimeoutError) and pool.checkedout() >= pool.size() else "postgres"

    async def close(self) -> None:
        await self._autocommit_pool.close()
        await self.engine.dispose()


@contextmanager
def _deadline(may_be_stored: Callable[[], bool]) -> Iterator[asyncio.Timeout]:
    """Yields a transaction's deadline for the caller to enter, and translates its expiry. A TimeoutError from inside
    the block passes unchanged."""
    deadline = asyncio.timeout(TRANSACTION_SECONDS)
    try:
        yield deadline
    except OutcomeUnknown:
        _UNKNOWN.inc()
        raise
    except TimeoutError as error:
        if not deadline.expired():
            raise
        if not may_be_stored():
            raise busy() from error
        _UNKNOWN.inc()
        raise outcome_unknown() from error


async def _commit(session: AsyncSession) -> None:
    try:
        await session.commit()
    except Unavailable as error:
        raise outcome_unknown() from error
