"""The sockets of this process, by conversation, by user and by login."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from app.realtime.connection.close_codes import NOT_AUTHENTICATED, REFUSED
from app.realtime.connection.connection import Connection
from app.realtime.hub.room import Room


class Registry:
    """`rooms` has the conversations with subscribers, `sockets_by_user` and `logins` the sockets of a user or login."""

    def __init__(self) -> None:
        self.rooms: dict[UUID, Room] = {}
        self.sockets_by_user: dict[UUID, set[Connection]] = {}
        self.logins: dict[UUID, set[Connection]] = {}

    def add(self, connection: Connection) -> None:
        self.sockets_by_user.setdefault(connection.user, set()).add(connection)
        self.logins.setdefault(connection.caller.session, set()).add(connection)

    def discard(self, connection: Connection) -> None:
        """Remove the socket from its user and login. Its subscriptions end with `unsubscribe`."""
        for index, key in ((self.sockets_by_user, connection.user), (self.logins, connection.caller.session)):
            sockets = index.get(key, set())
            sockets.discard(connection)
            if not sockets:
                index.pop(key, None)

    def subscribe(self, connection: Connection, room: Room, read_seq: int) -> None:
        """Add a subscriber to `room`, and `room` if it is the first. `read_seq` is the read cursor sent to it."""
        self.rooms[room.conversation] = room
        room.connections[connection] = read_seq
        connection.rooms.add(room.conversation)

    def unsubscribe(self, connection: Connection, conversation: UUID) -> Room | None:
        """Remove a subscription, if there is one. Returns the room if that was its last subscriber."""
        if conversation not in connection.rooms:
            return None
        connection.rooms.discard(conversation)
        room = self.rooms[conversation]
        room.remove(connection)
        if room.connections:
            return None
        room.cancel_timer()
        return self.rooms.pop(conversation)

    def subscribed_sockets(self, conversation: UUID, user: UUID | None) -> list[Connection]:
        """Returns the sockets of `user` that are subscribed to `conversation`."""
        sockets = self.sockets_by_user.get(user, ()) if user is not None else ()
        return [connection for connection in sockets if conversation in connection.rooms]

    def end_logins(self, sessions: Iterable[UUID], *, refused: bool) -> None:
        """Close the sockets of these logins. `refused`: the account is suspended."""
        for session in sessions:
            for connection in list(self.logins.get(session, ())):
                connection.close(REFUSED if refused else NOT_AUTHENTICATED)
