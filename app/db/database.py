"""Transactions: begin → yield a session → COMMIT → hand over what was recorded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, async_sessionmaker

from app.db.autocommit import AutocommitPool, AutocommitStatement
from app.db.engine import TRANSACTION_SECONDS
from app.db.outages import AWAY, busy, report_outages, search_busy
from app.domain.errors import ChatError, OutcomeUnknown, Unavailable
from app.domain.events import FollowUp, Outgoing, follow_ups, recorded

P = ParamSpec("P")
T = TypeVar("T")

Session = AsyncSession
"""What handlers and tasks call the session in which a transaction runs."""

ReadOnly = AsyncConnection
"""What a single reading statement runs on."""


READ_ONLY = text("SHOW transaction_read_only")
"""On in recovery too."""

SEARCHES_AT_ONCE = 2
SEARCH_SECONDS = 1.0
"""For its turn, and for its statement. A search that finds an index takes milliseconds."""

_BOUNDED = text(
    # A plan for every pattern there is cannot use an index of beginnings, and takes the longest way for rare names.
    "SELECT set_config('statement_timeout', '1s', true), set_config('plan_cache_mode', 'force_custom_plan', true)"
)

HandOver = Callable[[list[Outgoing]], Awaitable[None]]
Entrust = Callable[[list[FollowUp]], None]
"""Never waits, never raises."""


async def _nowhere(events: list[Outgoing]) -> None:
    """The hand-over of a process that tells nobody."""


def _to_nobody(_: list[FollowUp]) -> None:
    """Errands of a process without a queue: the sweeps find them in the rows."""


class Database:
    """One engine and the one way to use it. `keep` connections at most stay with `single` between two uses."""

    def __init__(
        self, engine: AsyncEngine, hand_over: HandOver = _nowhere, entrust: Entrust = _to_nobody, *, keep: int = 0
    ) -> None:
        self.engine = engine
        self.hand_over = hand_over
        self.entrust = entrust
        self._sessions = async_sessionmaker(engine, expire_on_commit=False, autoflush=False)
        self._looks = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._singles = AutocommitPool(self._looks, keep=keep)
        self._searches = asyncio.Semaphore(SEARCHES_AT_ONCE)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """One transaction, committed at the end of the block, rolled back by any exception.

        Raises:
            Unavailable: the database is away, its pool is exhausted, a lock was not to be had, or the time is over.
            OutcomeUnknown: the connection was lost, or the time was over, while committing.
        """
        committing = False
        with _deadline(lambda: committing) as deadline:
            async with deadline, self._sessions() as session:
                await _connect(session)
                yield session
                committing = True
                await _commit(session)
        await self._committed(session)

    @asynccontextmanager
    async def single(self) -> AsyncIterator[AutocommitStatement]:
        """For one statement that changes things, and is a transaction of its own.

        Raises:
            Unavailable: the database is away, its pool is exhausted, a lock was not to be had, or the time is over.
            OutcomeUnknown: the connection was lost, the time was over, or the block failed, once the statement had been
                sent and had not been refused.
        """
        single: AutocommitStatement | None = None
        with _deadline(lambda: single is not None and single.may_be_stored) as deadline:
            async with deadline, self._singles.open() as single:
                try:
                    yield single
                except ChatError:
                    raise
                except Exception as error:
                    if single.may_be_stored:
                        raise OutcomeUnknown from error
                    raise
        await self._committed(single)

    @asynccontextmanager
    async def look(self) -> AsyncIterator[ReadOnly]:
        """For one statement that only reads: its snapshot is its own, and BEGIN and COMMIT, two round trips, are saved.

        Several statements that must agree, and every change, take a `transaction`.

        Raises:
            Unavailable: the database is away, its pool is exhausted, or the time is over.
        """
        with _deadline(lambda: False) as deadline:
            async with deadline, self._taken() as connection:
                yield connection

    async def verify(self) -> None:
        """Whether sends may succeed.

        Raises:
            Unavailable: the database is away, or this server takes no writes; its connections are dropped then.
        """
        async with self.look() as look:
            if (await look.execute(READ_ONLY)).scalar_one() == "on":
                await look.invalidate()
                raise Unavailable(*AWAY)

    @asynccontextmanager
    async def _taken(self) -> AsyncIterator[AsyncConnection]:
        async with AsyncExitStack() as stack:
            with report_outages():
                connection = await stack.enter_async_context(self._looks.connect())
            yield connection

    async def read(
        self, verb: Callable[Concatenate[ReadOnly, P], Awaitable[T]], *arguments: P.args, **named: P.kwargs
    ) -> T:
        """What `verb`, which reads with one statement, answers; raises what it raises, and as `look`."""
        async with self.look() as reader:
            return await verb(reader, *arguments, **named)

    async def search(
        self, verb: Callable[Concatenate[Session, P], Awaitable[T]], *arguments: P.args, **named: P.kwargs
    ) -> T:
        """What `verb`, which looks for parts of names, answers. Two at once in a process, each for a second at most:
        whoever searches leaves the other connections to those who converse.

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
                await session.execute(_BOUNDED)
                return await verb(session, *arguments, **named)
        except Unavailable as error:
            if error.code != "busy":
                raise
            raise search_busy() from error
        finally:
            self._searches.release()

    async def _committed(self, by: AsyncSession | AutocommitStatement) -> None:
        events, errands = recorded(by), follow_ups(by)
        if errands:
            self.entrust(errands)
        if events:
            # Committed: it must be told even if the caller hangs up now. The hand-over itself has a deadline.
            await asyncio.shield(asyncio.ensure_future(self.hand_over(events)))

    async def close(self) -> None:
        await self._singles.close()
        await self.engine.dispose()


@contextmanager
def _deadline(may_be_stored: Callable[[], bool]) -> Iterator[asyncio.Timeout]:
    """The deadline of a transaction, to be entered inside; and what it means that it has passed. A TimeoutError of
    whatever ran inside stays one."""
    deadline = asyncio.timeout(TRANSACTION_SECONDS)
    try:
        yield deadline
    except TimeoutError as error:
        if not deadline.expired():
            raise
        raise (OutcomeUnknown() if may_be_stored() else busy()) from error


async def _connect(session: AsyncSession) -> None:
    """Take a connection now, so that its absence is told here and not in the middle of a verb."""
    with report_outages():
        await session.connection()


async def _commit(session: AsyncSession) -> None:
    try:
        await session.commit()
    except Unavailable as error:
        raise OutcomeUnknown from error
