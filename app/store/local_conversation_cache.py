"""Caches conversation heads and their readers in this process; a miss reads Postgres.

Why the cache is safe: entries come from Postgres and follow every event received since. A message that follows the
cached head advances it; any other change, or a gap, evicts the entry. The poll finds missed events: it evicts stale
entries and ended logins. While the last successful poll began within two seconds (`Hub.trusted`), no entry is therefore
older than that. This process's commits apply at once; while the bus is up, those of other processes apply a moment
later. The cache only ever allows reads; a miss falls back to a batched Postgres query. Writes always read Postgres.
"""

from __future__ import annotations

import time
from asyncio import Future
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Sequence
from uuid import UUID

from app.batching import Batcher
from app.db import Database
from app.domain.conversations.access import Access, MembershipKey, check_access_many
from app.domain.conversations.recent_changes import ConversationHead
from app.domain.errors import ChatError
from app.domain.events import LogChange, LoginsEnded
from app.domain.users.caller import Caller

MAX_BATCH = 64
MAX_WAITING = 2_000
MAX_READERS = 50_000
"""Cached (conversation, reader) pairs: about 10 MB. The least recently used conversations are evicted first."""

MAX_LOGINS = 50_000


class CachedConversation:
    """A cached conversation: its head and the users known to be members."""

    __slots__ = ("head", "readers")

    def __init__(self, head: ConversationHead) -> None:
        self.head = head
        self.readers: set[UUID] = set()

    def advance(self, change: LogChange) -> bool:
        """Advances the head if `change` is the next message. Returns False if the entry is no longer valid."""
        if change.position <= self.head.position:
            return True
        if change.prev != self.head.position or not change.type.startswith("message."):
            return False
        self.head = ConversationHead(change.conversation, change.position, change.last_seq, change.edited)
        return True


class ConversationCache:
    """The cache is used only while `trusted()` is true. `apply_events` takes bus events, `apply_poll` poll accesses."""

    def __init__(self, database: Database, *, trusted: Callable[[], bool], max_readers: int = MAX_READERS) -> None:
        self._trusted = trusted
        self._database = database
        self._max_readers = max_readers
        self._conversations: OrderedDict[UUID, CachedConversation] = OrderedDict()
        self._reader_count = 0
        self._logins: OrderedDict[UUID, UUID] = OrderedDict()
        # Ids that changed while a query runs: its snapshot may be older, so its result must not be cached.
        self._changed: set[UUID] | None = None
        self._queries: Batcher[MembershipKey, ConversationHead] = Batcher(
            self._query_heads, max_batch=MAX_BATCH, max_waiting=MAX_WAITING
        )

    def cached_head(self, conversation: UUID, caller: Caller) -> ConversationHead | None:
        """Returns the cached head, or None if the cache does not prove that `caller` may read the conversation."""
        entry = self._conversations.get(conversation)
        if (
            entry is None
            or caller.user not in entry.readers
            or self._logins.get(caller.session) != caller.user
            or caller.expires_at <= time.time()
            or not self._trusted()
        ):
            return None
        self._conversations.move_to_end(conversation)
        return entry.head

    def query_head(self, conversation: UUID, caller: Caller) -> Future[ConversationHead]:
        """Starts a Postgres query for the head. The caller must await the future or cancel it.

        Raises:
            NotFound, Forbidden: the caller may not read the conversation.
            Unauthenticated: the caller's login has ended.
            Unavailable: the database is down, or the queue is full.
        """
        return self._queries.submit(MembershipKey(conversation, caller.user, caller.session))

    async def drain(self) -> None:
        """Waits for running batches, even those without a waiting caller: they hold a connection."""
        await self._queries.drain()

    def apply_events(self, events: Iterable[object]) -> None:
        """Applies committed events, local or from other processes, in the order received."""
        for event in events:
            if isinstance(event, LogChange):
                self._note_changed((event.conversation,))
                entry = self._conversations.get(event.conversation)
                if entry is not None and not entry.advance(event):
                    self._evict(entry)
            elif isinstance(event, LoginsEnded):
                self._forget_logins(event.sessions)

    def apply_poll(self, moved: Iterable[ConversationHead], ended_logins: Collection[UUID]) -> None:
        """Applies the result of a poll."""
        for head in moved:
            self._note_changed((head.conversation,))
            entry = self._conversations.get(head.conversation)
            if entry is not None and head.position > entry.head.position:
                self._evict(entry)
        self._forget_logins(ended_logins)

    async def _query_heads(self, pairs: Sequence[MembershipKey]) -> Sequence[ConversationHead | ChatError]:
        changed: set[UUID] = set()
        self._changed = changed
        try:
            async with self._database.read_only() as reader:
                accesses = await check_access_many(reader, pairs)
        finally:
            self._changed = None
        answers: list[ConversationHead | ChatError] = []
        for pair, access in zip(pairs, accesses, strict=True):
            if isinstance(access, Access):
                head = ConversationHead(access.conversation, access.position, access.last_seq, access.edited_position)
                self._store(pair, head, changed)
                answers.append(head)
            else:
                answers.append(access)
        return answers

    def _store(self, pair: MembershipKey, head: ConversationHead, changed: Collection[UUID]) -> None:
        entry = self._conversations.get(pair.conversation)
        if entry is not None and head.position > entry.head.position:
            # The events in between have not arrived yet; one may remove a member.
            self._evict(entry)
            entry = None
        if entry is None:
            if pair.conversation in changed:
                return
            entry = self._conversations[pair.conversation] = CachedConversation(head)
        if pair.user not in entry.readers:
            entry.readers.add(pair.user)
            self._reader_count += 1
        if pair.session is not None and pair.session not in changed:
            self._logins[pair.session] = pair.user
        while self._reader_count > self._max_readers:
            self._evict(next(iter(self._conversations.values())))
        while len(self._logins) > MAX_LOGINS:
            self._logins.popitem(last=False)

    def _note_changed(self, ids: Iterable[UUID]) -> None:
        if self._changed is not None:
            self._changed.update(ids)

    def _forget_logins(self, sessions: Collection[UUID]) -> None:
        self._note_changed(sessions)
        for session in sessions:
            self._logins.pop(session, None)

    def _evict(self, entry: CachedConversation) -> None:
        del self._conversations[entry.head.conversation]
        self._reader_count -= len(entry.readers)
