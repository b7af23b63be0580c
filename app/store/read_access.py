"""Where a conversation stands and who may read it: known by this process for a moment, else asked of Postgres.

Why it may be believed. What is known was read from Postgres, and follows every change heard since: a message moves the
place along, if it follows on it; any other change, or a gap, forgets it. What was not heard is found by the look, which
forgets each place that is behind and each login that ended. So while the last successful look began within two seconds
(`Hub.trusted`) nothing that is known is older than that; this process's own commits count at once, and, while the bus
is heard, those of the others a moment later. It counts for reads only, and only as a yes: whoever is not known to be
allowed is asked about, together with those who come at the same time. Writes always ask Postgres.
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
from app.domain.conversations.recent_activity import ConversationHead
from app.domain.errors import ChatError
from app.domain.events import LogChange, LoginsEnded
from app.domain.users.caller import Caller

MAX_BATCH = 64
MAX_WAITING = 2_000
MAX_READERS = 50_000
"""People in places, counted once for each; about ten megabytes. Those asked for longest ago are forgotten first."""

MAX_LOGINS = 50_000


class KnownConversation:
    """A conversation: its head, and who is known to be in it."""

    __slots__ = ("head", "readers")

    def __init__(self, head: ConversationHead) -> None:
        self.head = head
        self.readers: set[UUID] = set()

    def follow(self, change: LogChange) -> bool:
        """Move along with a message that comes next; whether what is known still holds."""
        if change.position <= self.head.position:
            return True
        if change.prev != self.head.position or not change.type.startswith("message."):
            return False
        self.head = ConversationHead(change.conversation, change.position, change.last_seq, change.edited)
        return True


class ReadAccess:
    """`trusted` says whether what is known counts at the moment. `hear` and `saw` are told what happened."""

    def __init__(self, database: Database, *, most: int = MAX_READERS) -> None:
        self.trusted: Callable[[], bool] = _never
        self._database = database
        self._most = most
        self._places: OrderedDict[UUID, KnownConversation] = OrderedDict()
        self._readers = 0
        self._logins: OrderedDict[UUID, UUID] = OrderedDict()
        # What happened while a question is under way, which may have been answered before it: not to be remembered.
        self._meanwhile: set[UUID] | None = None
        self._asked: Batcher[MembershipKey, ConversationHead] = Batcher(
            self._ask, largest=MAX_BATCH, waiting=MAX_WAITING
        )

    def known(self, conversation: UUID, caller: Caller) -> ConversationHead | None:
        """Where it stands, if `caller` is known to be allowed to read it."""
        place = self._places.get(conversation)
        if (
            place is None
            or caller.user not in place.readers
            or self._logins.get(caller.session) != caller.user
            or caller.expires_at <= time.time()
            or not self.trusted()
        ):
            return None
        self._places.move_to_end(conversation)
        return place.head

    def ask(self, conversation: UUID, caller: Caller) -> Future[ConversationHead]:
        """The same, asked of Postgres; the answer is to come. Who does not wait for it cancels it.

        Raises:
            NotFound, Forbidden: the caller may not read it.
            Unauthenticated: the caller's login is over.
            Unavailable: the database is away, or too many are waiting.
        """
        return self._asked.ask(MembershipKey(conversation, caller.user, caller.session))

    async def drain(self) -> None:
        """Wait for what is under way, also where nobody waits for the answer any more: it holds a connection."""
        await self._asked.drain()

    def hear(self, events: Iterable[object]) -> None:
        """What was committed, here or elsewhere, in the order heard."""
        for event in events:
            if isinstance(event, LogChange):
                self._touch((event.conversation,))
                place = self._places.get(event.conversation)
                if place is not None and not place.follow(event):
                    self._forget(place)
            elif isinstance(event, LoginsEnded):
                self._end(event.sessions)

    def saw(self, moved: Iterable[ConversationHead], ended_logins: Collection[UUID]) -> None:
        """What a look found."""
        for one in moved:
            self._touch((one.conversation,))
            place = self._places.get(one.conversation)
            if place is not None and one.position > place.head.position:
                self._forget(place)
        self._end(ended_logins)

    async def _ask(self, pairs: Sequence[MembershipKey]) -> Sequence[ConversationHead | ChatError]:
        meanwhile: set[UUID] = set()
        self._meanwhile = meanwhile
        try:
            async with self._database.look() as reader:
                doors = await check_access_many(reader, pairs)
        finally:
            self._meanwhile = None
        answers: list[ConversationHead | ChatError] = []
        for pair, door in zip(pairs, doors, strict=True):
            if isinstance(door, Access):
                head = ConversationHead(door.conversation, door.position, door.last_seq, door.edited_position)
                self._remember(pair, head, meanwhile)
                answers.append(head)
            else:
                answers.append(door)
        return answers

    def _remember(self, pair: MembershipKey, head: ConversationHead, meanwhile: Collection[UUID]) -> None:
        place = self._places.get(pair.conversation)
        if place is not None and head.position > place.head.position:
            # What lies between has not been heard yet: it may be somebody's removal.
            self._forget(place)
            place = None
        if place is None:
            if pair.conversation in meanwhile:
                return
            place = self._places[pair.conversation] = KnownConversation(head)
        if pair.user not in place.readers:
            place.readers.add(pair.user)
            self._readers += 1
        if pair.session is not None and pair.session not in meanwhile:
            self._logins[pair.session] = pair.user
        while self._readers > self._most:
            self._forget(next(iter(self._places.values())))
        while len(self._logins) > MAX_LOGINS:
            self._logins.popitem(last=False)

    def _touch(self, what: Iterable[UUID]) -> None:
        if self._meanwhile is not None:
            self._meanwhile.update(what)

    def _end(self, sessions: Collection[UUID]) -> None:
        self._touch(sessions)
        for session in sessions:
            self._logins.pop(session, None)

    def _forget(self, place: KnownConversation) -> None:
        del self._places[place.head.conversation]
        self._readers -= len(place.readers)


def _never() -> bool:
    """Until somebody looks."""
    return False
