"""Reads first pages of conversation lists in batches: requests that arrive during a query share the next one.

The query also checks the logins. Searches and later pages run queries of their own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence

from app.batching import Batcher, run_beside
from app.db import Database
from app.domain.error_catalogue import login_ended
from app.domain.inbox.queries import inbox, page_of
from app.domain.inbox.schemas import ConversationPage, ConversationSummary
from app.domain.inbox.snapshot import SnapshotRequest, newest
from app.domain.users.caller import Caller
from app.store.batched_login_checks import BatchedLoginChecks

MAX_BATCH = 16
CONCURRENT_BATCHES = 2
MAX_WAITING = 2_000


class InboxReader:
    """Always reads from Postgres; caches nothing."""

    def __init__(self, database: Database, login_checks: BatchedLoginChecks) -> None:
        self._database = database
        self._login_checks = login_checks
        self._first_pages: Batcher[SnapshotRequest, list[ConversationSummary] | None] = Batcher(
            self._read, max_batch=MAX_BATCH, max_waiting=MAX_WAITING, concurrency=CONCURRENT_BATCHES
        )

    async def page(
        self, caller: Caller, admission: Awaitable[None], *, search: str | None, cursor: str | None, limit: int
    ) -> ConversationPage:
        """Returns a page of the caller's list. The first page is read while `admission` is pending; an error of
        `admission` takes precedence.

        Raises:
            Throttled: too many requests.
            Unauthenticated: the login has ended.
            Invalid: the cursor does not belong to this list, or `search` is not text.
            Unavailable: the database is down.
        """
        if search or cursor is not None:
            await admission
            await self._login_checks.ensure(caller)
            return await self._database.search(inbox, caller.user, search=search, cursor=cursor, limit=limit)
        summaries = await run_beside(
            admission, self._first_pages.submit(SnapshotRequest(caller.user, caller.session, limit + 1))
        )
        if summaries is None:
            raise login_ended()
        return page_of(summaries, limit)

    async def drain(self) -> None:
        """Waits for running batches, even those without a waiting caller: they hold a connection."""
        await self._first_pages.drain()

    async def _read(self, requests: Sequence[SnapshotRequest]) -> Sequence[list[ConversationSummary] | None]:
        return await self._database.read(newest, requests)
