"""What the hub reads from Postgres, in short transactions; nothing is held in between."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from uuid import UUID

import msgspec

from app.batching import Batcher
from app.db import Database
from app.domain.auth.login_status import is_suspended, logins_ended_since
from app.domain.conversations.access import Access, check_access
from app.domain.conversations.recent_activity import (
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
from app.domain.throttling.overrides import MARKS_SECONDS, Override, all_overrides, overrides_since
from app.realtime.frames.server_frames import Reason

LAST_MESSAGE_CUT = 200
"""Characters of the last message in `hello` (contract)."""

SNAPSHOT_BATCH = 32
MAX_WAITING = 20_000
READS_AT_ONCE = 3
"""Connections that repairs, beginnings and catch-ups may take together; others wait, however many sockets come back."""

CONNECTIONS = READS_AT_ONCE + 3
"""One more for greetings, one for the look, which waits for nobody, and one for broadcasts."""


class RecentChanges(msgspec.Struct, frozen=True):
    """What one look found. `began` is Postgres's clock before it read, in seconds since 1970.

    `ended_logins` are told apart by whether the account is suspended.
    `policies` are changes of throttles; with `all_policies`, everything that is not as the settings say.
    """

    began: float
    moved: list[ConversationHead]
    memberships: list[MembershipState]
    ended_logins: dict[UUID, bool]
    policies: list[Override]
    all_policies: bool


class HubReads:
    """Every method raises Unavailable when the database is away. `database` has `CONNECTIONS` or more."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._slots = asyncio.Semaphore(READS_AT_ONCE)
        self._snapshots: Batcher[SnapshotRequest, list[ConversationSummary] | None] = Batcher(
            self._greet, largest=SNAPSHOT_BATCH, waiting=MAX_WAITING
        )

    async def snapshot(self, user: UUID, login: UUID) -> list[ConversationSummary] | None:
        """All conversations of `user`, latest activity first; None when this login does not live any more.

        A thousand sockets that come back at once take one connection, and share its statements.
        """
        return await self._snapshots.call(SnapshotRequest(user, login))

    async def is_refused(self, user: UUID) -> bool:
        """Whether the account is suspended: logging in anew does not help then."""
        async with self._slots, self._database.transaction() as session:
            return await is_suspended(session, user)

    async def summary(self, user: UUID, conversation: UUID) -> ConversationSummary | Reason:
        """The conversation as it stands in the list of `user` now, or why it does not."""
        try:
            async with self._slots, self._database.transaction() as session:
                found, row = await opened(session, conversation, user)
        except NotFound:
            return "not_a_member"
        if found.role is None:
            return "not_a_member"
        return "hidden" if row.hidden_seq >= found.last_seq else found

    async def changes(self, conversation: UUID, after: int, limit: int) -> Changes:
        """What changed since, for everybody: whoever asks for a person sees to the membership.

        Raises:
            NotFound: there is no such conversation. Conflict `reset`: `after` is from the future.
        """
        async with self._slots, self._database.transaction() as session:
            return await changes_after(session, conversation, after, limit)

    async def changes_for(
        self, user: UUID, conversation: UUID, after: int, limit: int
    ) -> tuple[Access, Changes] | None:
        """The same for a member, with the membership; None for anybody else. Raises Conflict `reset` as above."""
        async with self._slots, self._database.transaction() as session:
            try:
                door = await check_access(session, conversation, user)
            except (NotFound, Forbidden):
                return None
            return door, await changes_after(session, conversation, after, limit)

    async def _greet(self, newcomers: Sequence[SnapshotRequest]) -> Sequence[list[ConversationSummary] | None]:
        return await self._database.read(newest, newcomers, cut=LAST_MESSAGE_CUT)

    async def glance(self, since: float | None, users: Sequence[UUID]) -> RecentChanges:
        """What moved lately. `since` is when the last successful look began; None: there was none yet."""
        async with self._database.transaction() as session:
            began = await clock(session)
            bucket = bucket_of(began if since is None else since)
            afresh = since is None or began - since > MARKS_SECONDS
            return RecentChanges(
                began,
                await moved_since(session, bucket),
                await memberships_since(session, bucket, users) if users else [],
                await logins_ended_since(session, bucket),
                await (all_overrides(session) if afresh else overrides_since(session, bucket)),
                afresh,
            )
