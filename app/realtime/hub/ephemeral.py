"""Delivers events that may be lost: read marks, typing, presence, notices. They have no position in the log."""

from __future__ import annotations

from app.domain.events import ReadMoved
from app.realtime.bus.ephemeral_events import TYPING_SECONDS, Notice, PresenceChanged, Typing
from app.realtime.connection.connection import Connection
from app.realtime.frames.frame_encoder import Frame, frame_of
from app.realtime.frames.server_frames import MemberPresence, MemberRead, MemberTyping
from app.realtime.hub.registry import Registry
from app.realtime.hub.room import Room


def deliver_read(registry: Registry, room: Room, event: ReadMoved) -> None:
    """Deliver a newer read cursor to the user's own devices and, in a small conversation, to the other members."""
    for connection in registry.subscribed_sockets(room.conversation, event.user):
        deliver_read_to(room, connection, event)
    if event.small:
        frame = read_frame(event)
        for connection in room.connections:
            if connection.user != event.user:
                connection.put(frame)


def deliver_read_to(room: Room, connection: Connection, event: ReadMoved) -> None:
    """Deliver a read cursor to one socket of `room`."""
    if event.user == connection.user:
        if event.seq <= room.connections[connection]:
            return
        room.connections[connection] = event.seq
    elif not event.small:
        return
    connection.put(read_frame(event))


def deliver_to_others(room: Room, event: Typing | PresenceChanged) -> None:
    """Deliver to the other members of the conversation."""
    frame = frame_of(_declared(event), loss="dropped")
    for connection in room.connections:
        if connection.user != event.user:
            connection.put(frame)


def deliver_notice(registry: Registry, event: Notice) -> None:
    """Deliver to all sockets of the users named, or of all users if none is."""
    frame = Frame(event.frame)
    for user in event.users or list(registry.sockets_by_user):
        for connection in registry.sockets_by_user.get(user, ()):
            if connection.ready:
                connection.put(frame)


def read_frame(event: ReadMoved) -> Frame:
    """Returns a frame that replaces an older one in the queue."""
    frame = MemberRead(conversation=event.conversation, user=event.user, seq=event.seq)
    return frame_of(frame, loss="merged", key=(event.conversation, event.user))


def _declared(event: Typing | PresenceChanged) -> MemberTyping | MemberPresence:
    if isinstance(event, Typing):
        return MemberTyping(conversation=event.conversation, user=event.user, expires_in=TYPING_SECONDS)
    return MemberPresence(conversation=event.conversation, user=event.user, online=event.online)
