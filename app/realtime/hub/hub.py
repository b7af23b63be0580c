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
from typing import NamedTuple
from uuid import UUID

import structlog

from app.domain.events import (
    BEGINNINGS,
    ENDINGS,
    Announced,
    ListTurned,
    LogChange,
    LoginsEnded,
    PoliciesChanged,
    ReadMoved,
)
from app.realtime.bus.ephemeral_events import Event, Notice, PresenceChanged, Typing
from app.realtime.connection.connection import Connection
from app.realtime.frames.frame_encoder import sender_of
from app.realtime.hub import ephemeral
from app.realtime.hub.fan_out import deliver_missed, deliver_to_room, group_by_conversation, reason_of
from app.realtime.hub.hub_queries import HubReads
from app.realtime.hub.registry import Registry
from app.realtime.hub.room import Room
from app.realtime.hub.snapshot_buffer import SnapshotBuffer

log = structlog.get_logger(__name__)

HOLD_SECONDS = 0.05
TRUSTED_SECONDS = 2.0
"""How long after the start of the last successful poll this process trusts what it knows of memberships."""


class HubHooks(NamedTuple):
    """What the hub calls: `on_arrival` for each new socket of a user, `on_departure` after the last one, `on_gap` to
    repair a room, `on_join` to send a user's sockets a conversation that they lack."""

    on_arrival: Callable[[UUID], None]
    on_departure: Callable[[UUID], None]
    on_broadcast: Callable[[], None]
    on_policies_changed: Callable[[], None]
    on_gap: Callable[[Hub, Room], None]
    on_join: Callable[[Hub, UUID, UUID], None]


class Hub:
    """`polled_at`: when the last successful poll began, on the monotonic clock. `last_broadcast`: the number up to
    which sockets have received broadcasts, None at first."""

    def __init__(self, reads: HubReads, hooks: HubHooks) -> None:
        self.reads = reads
        self.registry = Registry()
        self.snapshot_buffer = SnapshotBuffer()
        self.polled_at = float("-inf")
        self.last_broadcast: int | None = None
        self._hooks = hooks
        self._postponed: set[Room] = set()

    # Connections and subscriptions

    def register(self, connection: Connection) -> None:
        """Register a socket under its user and login. Conversations are delivered once it subscribes."""
        connection.opened_at = self.last_broadcast
        self.registry.add(connection)
        self._hooks.on_arrival(connection.user)

    def unregister(self, connection: Connection) -> None:
        """Unregister the socket and end its subscriptions."""
        for conversation in list(connection.rooms):
            self.unsubscribe(connection, conversation)
        self.registry.discard(connection)
        if connection.user not in self.registry.sockets_by_user:
            self._hooks.on_departure(connection.user)

    def subscribe(
        self, connection: Connection, conversation: UUID, position: int, read_seq: int, cursor: int
    ) -> int | None:
        """Subscribe `connection`, which has received the conversation up to `position`, to later events.

        `cursor` is the replay buffer's before `position` was read: later events are sent now. Returns None. If changes
        are missing, returns the position sent last instead: the socket is not subscribed and must catch up.
        """
        if connection.close_code is not None:
            return None
        recorded = self.snapshot_buffer.events_after(cursor, conversation) or ()
        room = self.registry.rooms.get(conversation) or Room(conversation, position)
        sent, own_change = deliver_missed(connection, room, position, recorded)
        if own_change is not None:
            if own_change.type in BEGINNINGS:
                self.join(connection.user, conversation)
            else:
                connection.revoke(conversation, reason_of(own_change))
            return None
        if sent < room.delivered:
            return sent
        self.registry.subscribe(connection, room, read_seq)
        if sent > room.delivered:
            room.ahead = room.ahead or {}
            room.ahead[connection] = sent
            room.target = max(room.target, sent)
            self.schedule_repair(room)
        for event in recorded:
            if isinstance(event, ListTurned):
                self.rejoin(event.user, conversation)
            elif isinstance(event, ReadMoved):
                ephemeral.deliver_read_to(room, connection, event)
            elif event.position > room.delivered:
                self._receive_change(event)
        return None

    def pause(self, connection: Connection, conversation: UUID) -> None:
        """Unsubscribe the socket while it catches up. The read cursor it has received is kept for that time."""
        if conversation in connection.rooms:
            read_seq = self.registry.rooms[conversation].connections[connection]
        else:
            read_seq = connection.catching_up.get(conversation, 0)
        self.unsubscribe(connection, conversation)
        connection.catching_up[conversation] = read_seq

    def unsubscribe(self, connection: Connection, conversation: UUID) -> None:
        emptied = self.registry.unsubscribe(connection, conversation)
        if emptied is not None:
            self._postponed.discard(emptied)

    def join(self, user: UUID, conversation: UUID) -> None:
        """Send the conversation's current state to the sockets of `user` that lack it, and subscribe them."""
        self._hooks.on_join(self, user, conversation)

    def rejoin(self, user: UUID, conversation: UUID) -> None:
        """Send all sockets of `user` the current state again, or `access.revoked` if hidden or left."""
        for connection in self.registry.subscribed_sockets(conversation, user):
            self.unsubscribe(connection, conversation)
        if user in self.registry.sockets_by_user:
            self.join(user, conversation)

    # Events

    @property
    def trusted(self) -> bool:
        return time.monotonic() - self.polled_at <= TRUSTED_SECONDS

    def receive(self, events: Sequence[Event]) -> None:
        """Deliver events of this and other processes. Never raises: one bad event must not end delivery."""
        changes: dict[UUID, list[LogChange]] = {}
        for event in events:
            if isinstance(event, LogChange):
                changes.setdefault(event.conversation, []).append(event)
                continue
            self._receive_changes(changes)
            try:
                self._receive_other(event)
            except Exception:
                log.exception("event_not_delivered", kind=type(event).__name__)
        self._receive_changes(changes)

    def _receive_changes(self, changes: dict[UUID, list[LogChange]]) -> None:
        """Deliver changes that were committed together, one conversation after another."""
        for conversation, committed in changes.items():
            try:
                for run in group_by_conversation(committed):
                    self._receive_run(self.registry.rooms.get(conversation), run)
            except Exception:
                log.exception("changes_not_delivered", conversation=str(conversation))
        changes.clear()

    def _receive_run(self, room: Room | None, run: list[LogChange]) -> None:
        if room is None or run[0].prev != room.delivered or room.repairing or not self.trusted:
            for change in run:
                self._receive_change(change)
            return
        self.deliver(room, run)
        self.drain(room)

    def _receive_change(self, change: LogChange) -> None:
        room = self.registry.rooms.get(change.conversation)
        if room is None:
            self.snapshot_buffer.append(change)
            self._start_joins(change)
        elif change.position <= room.delivered:
            return
        elif not self.trusted:
            room.hold(change)
            self.postpone_repair(room)
        elif room.repairing or change.prev > room.delivered:
            room.hold(change)
            self.schedule_repair(room)
        else:
            self.deliver(room, [change])
            self.drain(room)

    def _receive_other(self, event: Event) -> None:
        match event:
            case ReadMoved():
                self.deliver_read(event)
            case LoginsEnded():
                self.registry.end_logins(event.sessions, refused=event.refused)
            case ListTurned():
                self.snapshot_buffer.append(event)
                self.rejoin(event.user, event.conversation)
            case Announced():
                self._hooks.on_broadcast()
            case PoliciesChanged():
                self._hooks.on_policies_changed()
            case Typing() | PresenceChanged():
                if (room := self._room(event.conversation)) is not None:
                    ephemeral.deliver_to_others(room, event)
            case Notice():
                ephemeral.deliver_notice(self.registry, event)

    def _start_joins(self, change: LogChange) -> None:
        for user in change.joining:
            if user in self.registry.sockets_by_user:
                self.join(user, change.conversation)

    def deliver_read(self, event: ReadMoved) -> None:
        self.snapshot_buffer.append(event)
        if (room := self._room(event.conversation)) is not None:
            ephemeral.deliver_read(self.registry, room, event)

    def _room(self, conversation: UUID) -> Room | None:
        """Returns the room of events that may be lost, or None if delivery pauses."""
        return self.registry.rooms.get(conversation) if self.trusted else None

    def deliver(self, room: Room, run: Sequence[LogChange]) -> None:
        """Send `run`, one run of `group_by_conversation`, to all subscribers without awaiting."""
        first = run[0]
        if first.type in BEGINNINGS:
            # A member who joins receives the whole conversation instead (`join`).
            for connection in self.registry.subscribed_sockets(room.conversation, first.subject):
                self.unsubscribe(connection, room.conversation)
        deliver_to_room(room, run)
        room.delivered = run[-1].position
        for change in run:
            self.snapshot_buffer.append(change)
            self._start_joins(change)
            if change.type == "message.created":
                # Sending a message also moves the sender's read cursor; their devices see that from the message.
                for connection in self.registry.subscribed_sockets(room.conversation, sender_of(change.data)):
                    room.connections[connection] = max(room.connections[connection], change.seq)
        if first.type in ENDINGS:
            self._revoke(room, self.registry.subscribed_sockets(room.conversation, first.subject), first)
        elif first.type == "conversation.deleted":
            self._revoke(room, list(room.connections), first)

    def _revoke(self, room: Room, connections: Sequence[Connection], change: LogChange) -> None:
        for connection in connections:
            connection.revoke(room.conversation, reason_of(change))
            self.unsubscribe(connection, room.conversation)

    # Gaps

    def drain(self, room: Room) -> None:
        """Deliver held changes that now follow the delivered position."""
        while (change := room.following()) is not None:
            self.deliver(room, [change])
        if not room.has_gap:
            room.cancel_timer()

    def schedule_repair(self, room: Room) -> None:
        """Wait `HOLD_SECONDS` for the missing changes to arrive, then start a repair."""
        if room.timer is None and not room.repairing:
            room.timer = asyncio.get_running_loop().call_later(HOLD_SECONDS, self._repair, room)

    def postpone_repair(self, room: Room) -> None:
        """Schedule the repair after the next successful poll."""
        self._postponed.add(room)

    def note_poll(self, began: float) -> None:
        """A poll that began at `began` (monotonic) succeeded: delivery resumes, postponed repairs are scheduled."""
        self.polled_at = began
        postponed, self._postponed = self._postponed, set()
        for room in postponed:
            self.schedule_repair(room)

    def _repair(self, room: Room) -> None:
        room.timer = None
        if not self.trusted:
            self.postpone_repair(room)
            return
        self.drain(room)
        if room.has_gap and room.connections:
            self._hooks.on_gap(self, room)
