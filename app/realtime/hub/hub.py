"""Delivers events to the sockets of this process, in log order.

For each conversation with local subscribers the hub tracks the position delivered last. A change whose `prev` equals it
is delivered, an older one is dropped, and any other is held for up to 50 ms before the gap is read from Postgres
(`gap_repair`). A member who joins receives `conversation.created` (`join`); one who leaves is unsubscribed before any
later event. If the last successful poll began over two seconds ago, delivery pauses: a removal may have been missed.
Cost: O(local receivers) a change, O(own conversations) a connect.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from operator import attrgetter
from uuid import UUID

import structlog

from app.domain import events
from app.domain.events import BEGINNINGS, ENDINGS, Announced, ListTurned, LogChange, LoginsEnded, ReadMoved
from app.realtime.bus.ephemeral_events import Event, Notice, PresenceChanged, Typing
from app.realtime.connection.close_codes import NOT_AUTHENTICATED, REFUSED
from app.realtime.connection.connection import Connection
from app.realtime.frames.encoding import Frame, sender_of
from app.realtime.hub.ephemeral import deliver_notice, deliver_read, deliver_read_to, deliver_to_others
from app.realtime.hub.fan_out import deliver_to_room, following, group_by_conversation, reason_of
from app.realtime.hub.gap_repair import GapRepair
from app.realtime.hub.join import Joins
from app.realtime.hub.reads import HubReads
from app.realtime.hub.replay_buffer import Replayable, ReplayBuffer
from app.realtime.hub.room import Room

log = structlog.get_logger(__name__)

HOLD_SECONDS = 0.05
TRUSTED_SECONDS = 2.0
"""How long after the start of the last successful poll this process trusts what it knows of memberships."""


class Hub:
    """`fresh`: when the last successful poll began, on the monotonic clock. `last_broadcast`: the number up to which
    sockets have received broadcasts, None at first. `arrived` and `left` are called for a user's first and last socket,
    `announced` when the bus announces a broadcast, `news` when throttle policies change."""

    def __init__(self, journal: HubReads) -> None:
        self.journal = journal
        self.rooms: dict[UUID, Room] = {}
        self.people: dict[UUID, set[Connection]] = {}
        self.logins: dict[UUID, set[Connection]] = {}
        self.behind: set[Room] = set()
        self.passing = ReplayBuffer()
        self.fresh = float("-inf")
        self.arrived: Callable[[UUID], None] = _nobody
        self.left: Callable[[UUID], None] = _nobody
        self.announced: Callable[[], None] = _nothing
        self.news: Callable[[], None] = _nothing
        self.last_broadcast: int | None = None
        self.repairs = GapRepair(self)
        self.beginnings = Joins(self)

    async def stop(self) -> None:
        """Cancel running repairs and joins."""
        await self.repairs.stop()
        await self.beginnings.stop()

    # Connections and subscriptions

    def enter(self, connection: Connection) -> None:
        """Register a socket under its user and login. Conversations are delivered once it subscribes."""
        connection.opened_at = self.last_broadcast
        self.people.setdefault(connection.user, set()).add(connection)
        self.arrived(connection.user)
        self.logins.setdefault(connection.caller.session, set()).add(connection)

    def leave(self, connection: Connection) -> None:
        """Unregister the socket and end its subscriptions."""
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
        self,
        connection: Connection,
        conversation: UUID,
        position: int,
        read_seq: int,
        passed: Sequence[Replayable] | None,
    ) -> int | None:
        """Subscribe `connection`, which has received the conversation up to `position`, to later events.

        `passed` holds the events since before `position` was read, or None if they were evicted. Returns None. If
        changes are missing, returns the position sent last instead: the socket is not subscribed and must catch up.
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
            room.target = max(room.target, told)
            self.wait(room)
        for event in passed or ():
            if isinstance(event, ListTurned):
                self.beginnings.again(event.user, conversation)
            elif isinstance(event, ReadMoved):
                deliver_read_to(room, connection, event)
            elif event.position > room.delivered:
                self._change(event)
        return None

    def _tell_missed(
        self, connection: Connection, room: Room, position: int, passed: Sequence[Replayable]
    ) -> int | None:
        """Send one socket the changes its room received after `position`, up to the first gap.

        Returns the position sent last, or None if its user left (access is revoked) or joined (a join is started).
        """
        changes = [
            event for event in passed if isinstance(event, LogChange) and position < event.position <= room.delivered
        ]
        for change in sorted(changes, key=attrgetter("position")):
            if not change.prev <= position < change.position:
                continue
            if change.subject == connection.user and change.type in BEGINNINGS:
                self.beginnings.start(connection.user, room.conversation)
                return None
            connection.put(Frame(following(change, position).frame()))
            position = change.position
            if change.subject == connection.user and change.type in ENDINGS:
                connection.revoke(room.conversation, reason_of(change))
                return None
        return position

    def pause(self, connection: Connection, conversation: UUID) -> None:
        """Unsubscribe the socket while it catches up. The read cursor it has received is kept for that time."""
        room = connection.rooms.get(conversation)
        read_seq = connection.catching.get(conversation, 0) if room is None else room.connections[connection]
        self.unsubscribe(connection, conversation)
        connection.catching[conversation] = read_seq

    def unsubscribe(self, connection: Connection, conversation: UUID) -> None:
        room = connection.rooms.pop(conversation, None)
        if room is None:
            return
        room.remove(connection)
        if not room.connections:
            room.stop_waiting()
            self.behind.discard(room)
            self.rooms.pop(conversation, None)

    # Events

    @property
    def trusted(self) -> bool:
        return time.monotonic() - self.fresh <= TRUSTED_SECONDS

    def hear(self, events: Sequence[Event]) -> None:
        """Deliver events of this and other processes. Never raises: one bad event must not end delivery."""
        changes: dict[UUID, list[LogChange]] = {}
        for event in events:
            if isinstance(event, LogChange):
                changes.setdefault(event.conversation, []).append(event)
                continue
            self._hear_all(changes)
            try:
                self._hear(event)
            except Exception:
                log.exception("event_not_delivered", kind=type(event).__name__)
        self._hear_all(changes)

    def _hear_all(self, changes: dict[UUID, list[LogChange]]) -> None:
        """Deliver changes that were committed together, one conversation after another."""
        for conversation, committed in changes.items():
            try:
                for run in group_by_conversation(committed):
                    self._run(self.rooms.get(conversation), run)
            except Exception:
                log.exception("changes_not_delivered", conversation=str(conversation))
        changes.clear()

    def _run(self, room: Room | None, run: list[LogChange]) -> None:
        if room is None or run[0].prev != room.delivered or room.repairing or not self.trusted:
            for change in run:
                self._change(change)
            return
        self.deliver(room, run)
        self.drain(room)

    def _hear(self, event: Event) -> None:
        match event:
            case ReadMoved():
                deliver_read(self, event)
            case LoginsEnded():
                self.end_logins(event.sessions, refused=event.refused)
            case ListTurned():
                self.passing.note(event)
                self.beginnings.again(event.user, event.conversation)
            case Announced():
                self.announced()
            case events.PoliciesChanged():
                self.news()
            case Typing() | PresenceChanged():
                deliver_to_others(self, event)
            case Notice():
                deliver_notice(self, event)

    def _change(self, change: LogChange) -> None:
        room = self.rooms.get(change.conversation)
        if room is None:
            self.passing.note(change)
            self.beginnings.hear(change)
        elif change.position <= room.delivered:
            return
        elif not self.trusted:
            room.hold(change)
            self.behind.add(room)
        elif room.repairing or change.prev > room.delivered:
            room.hold(change)
            self.wait(room)
        else:
            self.deliver(room, [change])
            self.drain(room)

    def deliver(self, room: Room, run: Sequence[LogChange]) -> None:
        """Send `run`, one run of `group_by_conversation`, to all subscribers without awaiting."""
        first = run[0]
        if first.type in BEGINNINGS:
            # A member who joins receives the whole conversation instead (`join`).
            for connection in self.mine(room, first.subject):
                self.unsubscribe(connection, room.conversation)
        deliver_to_room(room, run)
        room.delivered = run[-1].position
        for change in run:
            self.passing.note(change)
            self.beginnings.hear(change)
            if change.type == "message.created":
                # Sending a message also moves the sender's read cursor; their devices see that from the message.
                for connection in self.mine(room, sender_of(change.data)):
                    room.connections[connection] = max(room.connections[connection], change.seq)
        if first.type in ENDINGS:
            self._revoke(room, self.mine(room, first.subject), first)
        elif first.type == "conversation.deleted":
            self._revoke(room, list(room.connections), first)

    def drain(self, room: Room) -> None:
        """Deliver held changes that now follow the delivered position."""
        while (change := room.following()) is not None:
            self.deliver(room, [change])
        if not room.behind:
            room.stop_waiting()

    def wait(self, room: Room) -> None:
        """Wait `HOLD_SECONDS` for the missing changes to arrive, then start a repair."""
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

    def end_logins(self, sessions: Sequence[UUID], *, refused: bool) -> None:
        for session in sessions:
            for connection in list(self.logins.get(session, ())):
                connection.close(REFUSED if refused else NOT_AUTHENTICATED)

    def mine(self, room: Room, user: UUID | None) -> list[Connection]:
        """Returns the sockets of `user` that are subscribed to `room`."""
        mine = self.people.get(user, ()) if user is not None else ()
        return [connection for connection in mine if connection in room.connections]

    def _revoke(self, room: Room, connections: Sequence[Connection], change: LogChange) -> None:
        for connection in connections:
            connection.revoke(room.conversation, reason_of(change))
            self.unsubscribe(connection, room.conversation)


def _nobody(user: UUID) -> None:
    """Default hook: does nothing."""


def _nothing() -> None:
    """Default hook: does nothing."""
