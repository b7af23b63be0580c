"""This process's sockets, and the one order in which they hear of a conversation: the log's.

A change that follows on what was delivered is delivered, an older one dropped, any other held for at most 50 ms; then
what is missing is read from Postgres (`repairs`). A beginning reaches its subject's sockets as `conversation.created`
(`beginnings`); an ending ends the subscription before anything later is delivered. While the last successful look is
older than two seconds nothing is delivered at all: a removal may have been missed. Cost: O(local receivers) a change,
O(own conversations) a connect or disconnect; a room without listeners is forgotten.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from uuid import UUID

import msgspec
import structlog

from app.domain.events import BEGINNINGS, ENDINGS, Change, LoginsEnded, ReadMoved
from app.realtime.beginnings import Beginnings
from app.realtime.connections import NOT_AUTHENTICATED, Connection
from app.realtime.deliveries import Frame, frame_of, sender_of
from app.realtime.journal import Journal
from app.realtime.passing import Passed, Passing
from app.realtime.repairs import Repairs
from app.realtime.rooms import Room
from app.realtime.signals import Event, Here, Notice, Typing
from app.realtime.transient import tell_notice, tell_one_read, tell_others, tell_read

log = structlog.get_logger(__name__)

HOLD_SECONDS = 0.05
TRUSTED_SECONDS = 2.0
"""How long after the start of the last successful look what this process knows of memberships counts."""


class Hub:
    """`fresh` is when the last successful look began, on the monotonic clock.

    `arrived` is called when a socket of a user opens, `left` when the last one has closed.
    """

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.rooms: dict[UUID, Room] = {}
        self.people: dict[UUID, set[Connection]] = {}
        self.logins: dict[UUID, set[Connection]] = {}
        self.behind: set[Room] = set()
        self.passing = Passing()
        self.fresh = float("-inf")
        self.arrived: Callable[[UUID], None] = _nobody
        self.left: Callable[[UUID], None] = _nobody
        self.repairs = Repairs(self)
        self.beginnings = Beginnings(self)

    async def stop(self) -> None:
        """End what is under way."""
        await self.repairs.stop()
        await self.beginnings.stop()

    # Coming and going

    def enter(self, connection: Connection) -> None:
        """From now on this socket hears of its user and login; of conversations once it subscribes."""
        self.people.setdefault(connection.user, set()).add(connection)
        self.arrived(connection.user)
        self.logins.setdefault(connection.caller.session, set()).add(connection)

    def leave(self, connection: Connection) -> None:
        """Forget it."""
        for conversation in list(connection.rooms):
            self.unsubscribe(connection, conversation)
        for index, key in ((self.people, connection.user), (self.logins, connection.caller.session)):
            others = index.get(key, set())
            others.discard(connection)
            if not others:
                index.pop(key, None)
        if connection.user not in self.people:
            self.left(connection.user)

    def subscribe(
        self, connection: Connection, conversation: UUID, position: int, read_seq: int, passed: Sequence[Passed] | None
    ) -> int | None:
        """Let `connection`, which knows the conversation up to `position`, hear what follows.

        `passed` is what went by since before `position` was read; None: not known. Answers None, or, when something
        between is missing, the position the socket has been told: it is not subscribed then and must catch up.
        """
        if connection.close_code is not None:
            return None
        room = self.rooms.get(conversation) or Room(conversation, position)
        told = self._tell_missed(connection, room, position, passed or ())
        if told is None or told < room.delivered:
            return told
        self.rooms[conversation] = room
        room.connections[connection] = read_seq
        connection.rooms[conversation] = room
        if told > room.delivered:
            room.ahead = room.ahead or {}
            room.ahead[connection] = told
        for event in passed or ():
            if isinstance(event, ReadMoved):
                tell_one_read(room, connection, event)
            elif event.position > room.delivered:
                self._change(event)
        return None

    def _tell_missed(self, connection: Connection, room: Room, position: int, passed: Sequence[Passed]) -> int | None:
        """Tell one socket what its room was told since `position`, as far as it passed by without a gap.

        Answers the position told; None when the socket's user went meanwhile, and is begun anew if they came back.
        """
        changes = [
            event for event in passed if isinstance(event, Change) and position < event.position <= room.delivered
        ]
        for change in sorted(changes, key=_position):
            if not change.prev <= position < change.position:
                continue
            if change.subject == connection.user and change.type in BEGINNINGS:
                self.beginnings.start(connection.user, room.conversation)
                return None
            connection.put(Frame(_following(change, position).frame()))
            position = change.position
            if change.subject == connection.user and change.type in ENDINGS:
                connection.put(_revoked(change))
                return None
        return position

    def unsubscribe(self, connection: Connection, conversation: UUID) -> None:
        room = connection.rooms.pop(conversation, None)
        if room is None:
            return
        room.remove(connection)
        if not room.connections:
            room.stop_waiting()
            self.behind.discard(room)
            self.rooms.pop(conversation, None)

    # Hearing

    @property
    def trusted(self) -> bool:
        return time.monotonic() - self.fresh <= TRUSTED_SECONDS

    def hear(self, events: Sequence[Event]) -> None:
        """Deliver what happened, here or elsewhere. Never raises: one bad event must not end delivery."""
        for event in events:
            try:
                self._hear(event)
            except Exception:
                log.exception("event_not_delivered", kind=type(event).__name__)

    def _hear(self, event: Event) -> None:
        match event:
            case Change():
                self._change(event)
            case ReadMoved():
                tell_read(self, event)
            case LoginsEnded():
                self.end_logins(event.sessions)
            case Typing() | Here():
                tell_others(self, event)
            case Notice():
                tell_notice(self, event)

    def _change(self, change: Change) -> None:
        room = self.rooms.get(change.conversation)
        if room is None:
            self.passing.note(change)
            if change.type in BEGINNINGS and change.subject in self.people:
                self.beginnings.start(change.subject, change.conversation)
        elif change.position <= room.delivered:
            return
        elif not self.trusted:
            room.hold(change)
            self.behind.add(room)
        elif room.repairing or change.prev > room.delivered:
            room.hold(change)
            self.wait(room)
        else:
            self.deliver(room, change)
            self.drain(room)

    def deliver(self, room: Room, change: Change) -> None:
        """Tell all who listen, in one step without waiting."""
        frame = Frame(change.frame())
        newcomers = self.mine(room, change.subject) if change.type in BEGINNINGS and change.subject else []
        for connection in newcomers:
            self.unsubscribe(connection, room.conversation)
        if room.ahead:
            self._deliver_unevenly(room, room.ahead, change, frame)
        else:
            for connection in room.connections:
                connection.put(frame)
        room.delivered = change.position
        self.passing.note(change)
        if change.type == "message.created":
            # Who sends has read so far, and knows it.
            for connection in self.mine(room, sender_of(change.data)):
                room.connections[connection] = max(room.connections[connection], change.seq)
        elif change.type in ENDINGS and change.subject is not None:
            self._revoke(room, self.mine(room, change.subject), change)
        elif change.type in BEGINNINGS and change.subject in self.people:
            self.beginnings.start(change.subject, change.conversation)
        elif change.type == "conversation.deleted":
            self._revoke(room, list(room.connections), change)

    def drain(self, room: Room) -> None:
        """Deliver what was held and follows now."""
        while (change := room.following()) is not None:
            self.deliver(room, change)
        if not room.behind:
            room.stop_waiting()

    def wait(self, room: Room) -> None:
        """Give what is missing a moment to come by itself, then repair."""
        if room.timer is None and not room.repairing:
            room.timer = asyncio.get_running_loop().call_later(HOLD_SECONDS, self._overdue, room)

    def _overdue(self, room: Room) -> None:
        room.timer = None
        if not self.trusted:
            self.behind.add(room)
            return
        self.drain(room)
        if room.behind and room.connections:
            self.repairs.start(room)

    def end_logins(self, sessions: Sequence[UUID] | set[UUID]) -> None:
        for session in sessions:
            for connection in list(self.logins.get(session, ())):
                connection.close(NOT_AUTHENTICATED)

    def mine(self, room: Room, user: UUID | None) -> list[Connection]:
        """The sockets of `user` that listen in `room`."""
        mine = self.people.get(user, ()) if user is not None else ()
        return [connection for connection in mine if connection in room.connections]

    def _revoke(self, room: Room, connections: Sequence[Connection], change: Change) -> None:
        frame = _revoked(change)
        for connection in connections:
            connection.put(frame)
            self.unsubscribe(connection, room.conversation)

    def _deliver_unevenly(self, room: Room, ahead: dict[Connection, int], change: Change, frame: Frame) -> None:
        """Deliver where some sockets' snapshots are newer than what the others have been told."""
        for connection in room.connections:
            known = ahead.get(connection)
            if known is None:
                connection.put(frame)
                continue
            if change.position > known:
                connection.put(Frame(_following(change, known).frame()))
            if change.position >= known:
                del ahead[connection]
        room.ahead = ahead or None


def _nobody(user: UUID) -> None:
    """Who counts those who come and go."""


def _position(change: Change) -> int:
    return change.position


def _following(change: Change, position: int) -> Change:
    """The same change for who stands at `position`, when it covers more than what follows on it."""
    return change if change.prev == position else msgspec.structs.replace(change, prev=position)


def _revoked(change: Change) -> Frame:
    reason = change.type.partition(".")[2]
    return frame_of("access.revoked", conversation=change.conversation, reason=reason)
