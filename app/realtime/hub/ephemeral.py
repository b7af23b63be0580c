"""What is told to who is there and may be lost: read marks, typing, presence, notices. No position moves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.domain.events import ReadMoved
from app.realtime.bus.ephemeral_events import Notice, PresenceChanged, Typing
from app.realtime.connection.connection import Connection
from app.realtime.frames.encoding import Frame
from app.realtime.hub.room import Room

if TYPE_CHECKING:
    from app.realtime.hub.hub import Hub


def deliver_read(hub: Hub, event: ReadMoved) -> None:
    """To one's own devices what they have not been told yet; to the others in a small conversation."""
    room = hub.rooms.get(event.conversation)
    hub.passing.note(event)
    if room is None or not hub.trusted:
        return
    for connection in hub.mine(room, event.user):
        deliver_read_to(room, connection, event)
    if event.small:
        frame = read_frame(event)
        for connection in room.connections:
            if connection.user != event.user:
                connection.put(frame)


def deliver_read_to(room: Room, connection: Connection, event: ReadMoved) -> None:
    """The same to one socket of `room`."""
    if event.user == connection.user:
        if event.seq <= room.connections[connection]:
            return
        room.connections[connection] = event.seq
    elif not event.small:
        return
    connection.put(read_frame(event))


def deliver_to_others(hub: Hub, event: Typing | PresenceChanged) -> None:
    """To the others of the conversation."""
    room = hub.rooms.get(event.conversation)
    if room is None or not hub.trusted:
        return
    frame = Frame(event.frame(), loss="dropped")
    for connection in room.connections:
        if connection.user != event.user:
            connection.put(frame)


def deliver_notice(hub: Hub, event: Notice) -> None:
    """To all sockets of the people named, or of everybody."""
    frame = Frame(event.frame)
    for user in event.users or list(hub.people):
        for connection in hub.people.get(user, ()):
            if connection.ready:
                connection.put(frame)


def read_frame(event: ReadMoved) -> Frame:
    """Newest wins: an older one that still waits is replaced."""
    return Frame(event.frame(), loss="merged", key=(event.conversation, event.user))
