"""The hub's reads from Postgres, in short transactions. No connection is held in between."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from uuid import UUID

import msgspec

from app.batching import Batcher
from app.db import Database
from app.domain.auth.login_status import is_suspended, logins_ended_since
from app.domain.conversations.access import Access, check_access
from app.domain.conversations.recent_changes import (
    ConversationHead,
    MembershipState,
    bucket_of,
    clock,
    memberships_since,
    moved_since,
)
from app.domain.errors import Forbidden, NotFound
from app.domain.inbox.queries import opened
from app.domain.inbox.schemas import ConversationSummary
from app.domain.inbox.snapshot import SnapshotRequest, newest
from app.domain.messages.changes import Changes, changes_after
from app.domain.throttling.overrides import REMOVAL_RETENTION_SECONDS, Override, all_overrides, overrides_since
from app.realtime.frames.server_frames import Reason

LAST_MESSAGE_CUT = 200
"""Length to which `hello` cuts the last message, in characters (contract)."""

SNAPSHOT_BATCH = 32
MAX_WAITING = 20_000
READS_AT_ONCE = 3
"""Connections shared by repairs, joins and catch-ups. Further reads wait, however many sockets reconnect."""

CONNECTIONS = READS_AT_ONCE + 3
"""One more each for snapshots, for the poller, which never waits for other reads, and for broadcasts."""


class RecentChanges(msgspec.Struct, frozen=True):
    """The result of one poll. `began` is Postgres's clock before the reads, in seconds since 1970.

    `ended_logins` maps each login to whether its account is suspended.
    `policies` are the changed throttle overrides, or all overrides with `all_policies`.
    """

    began: float
    moved: list[ConversationHead]
    memberships: list[MembershipState]
    ended_logins: dict[UUID, bool]
    policies: list[Override]
    all_policies: bool


class HubReads:
    """Every method raises Unavailable if the database is unavailable. `database` has at least `CONNECTIONS`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._slots = asyncio.Semaphore(READS_AT_ONCE)
        self._snapshots: Batcher[SnapshotRequest, list[ConversationSummary] | None] = Batcher(
            self._read_snapshots, max_batch=SNAPSHOT_BATCH, max_waiting=MAX_WAITING
        )

    async def snapshot(self, user: UUID, login: UUID) -> list[ConversationSummary] | None:
        """Returns all conversations of `user`, latest activity first, or None if the login has ended.

        A thousand sockets that reconnect at once share one connection and its statements.
        """
        return await self._snapshots.call(SnapshotRequest(user, login))

    async def is_refused(self, user: UUID) -> bool:
        """Whether the account is suspended, so that a new login would not help."""
        async with self._slots, self._database.transaction() as session:
            return await is_suspended(session, user)

    async def summary(self, user: UUID, conversation: UUID) -> ConversationSummary | Reason:
        """Returns the conversation as in the list of `user`, or the reason why it is not there."""
        try:
            async with self._slots, self._database.transaction() as session:
                found, row = await opened(session, conversation, user)
        except NotFound:
            return "not_a_member"
        if found.role is None:
            return "not_a_member"
        return "hidden" if row.hidden_seq >= found.last_seq else found

    async def changes(self, conversation: UUID, after: int, limit: int) -> Changes:
        """Returns up to `limit` changes after position `after`. Does not check membership.

        Raises:
            NotFound: the conversation does not exist.
            Conflict: code `reset`: `after` is from the future.
        """
        async with self._slots, self._database.transaction() as session:
            return await changes_after(session, conversation, after, limit)

    async def changes_for(
        self, user: UUID, conversation: UUID, after: int, limit: int
    ) -> tuple[Access, Changes] | None:
        """Returns the access of `user` and the changes, or None if not a member. Raises Conflict like `changes`."""
        async with self._slots, self._database.transaction() as session:
            try:
                access = await check_access(session, conversation, user)
            except (NotFound, Forbidden):
                return None
            return access, await changes_after(session, conversation, after, limit)

    async def _read_snapshots(self, requests: Sequence[SnapshotRequest]) -> Sequence[list[ConversationSummary] | None]:
        return await self._database.read(newest, requests, cut=LAST_MESSAGE_CUT)

    async def recent_changes(self, since: float | None, users: Sequence[UUID]) -> RecentChanges:
        """Reads recent changes. `since` is when the last successful poll began, or None before the first."""
        async with self._database.transaction() as session:
            began = await clock(session)
            bucket = bucket_of(began if since is None else since)
            everything = since is None or began - since > REMOVAL_RETENTION_SECONDS
            return RecentChanges(
                began,
                await moved_since(session, bucket),
                await memberships_since(session, bucket, users) if users else [],
                await logins_ended_since(session, bucket),
                await (all_overrides(session) if everything else overrides_since(session, bucket)),
                everything,
            )
