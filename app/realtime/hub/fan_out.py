"""Telling changes: a run of them to a whole room in one write a socket, or to one socket what its room has heard.

A busy room's changes come in batches, as they were committed. Joined once, they cost each of a thousand sockets one
write instead of one a message.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from app.domain.events import LogChange
from app.realtime.frames.encoding import Frame
from app.realtime.frames.server_frames import Reason
from app.realtime.hub.room import Room

MAX_RUN = 64 * 1024
"""Bytes told in one write: about what a transport takes at once."""

_REASONS: dict[str, Reason] = {
    "member.left": "left",
    "member.removed": "removed",
    "conversation.deleted": "deleted",
}


def group_by_conversation(changes: Sequence[LogChange]) -> Iterator[list[LogChange]]:
    """Changes of one conversation in runs, each change of a run following on the one before.

    Changes of messages only: whatever ends or begins a membership changes who is told, and stands alone.
    """
    run: list[LogChange] = []
    size = 0
    for change in changes:
        follows = run and change.prev == run[-1].position and run[-1].seq and change.seq
        if run and not (follows and size + len(change.data) <= MAX_RUN):
            yield run
            run, size = [], 0
        run.append(change)
        size += len(change.data)
    if run:
        yield run


def deliver_to_room(room: Room, run: Sequence[LogChange]) -> None:
    """Tell all who listen, in one step without waiting; `run` follows on what has been delivered."""
    if room.ahead:
        for change in run:
            _deliver_individually(room, change)
        return
    frame = Frame(*(change.frame() for change in run))
    for connection in room.connections:
        connection.put(frame)


def _deliver_individually(room: Room, change: LogChange) -> None:
    """Tell it where some sockets' snapshots are newer than what the others have been told."""
    frame, ahead = Frame(change.frame()), room.ahead or {}
    for connection in room.connections:
        known = ahead.get(connection)
        if known is None:
            connection.put(frame)
            continue
        if change.position > known:
            connection.put(Frame(following(change, known).frame()))
        if change.position >= known:
            del ahead[connection]
    room.ahead = ahead or None


def following(change: LogChange, position: int) -> LogChange:
    """The same change for who stands at `position`, when it covers more than what follows on it."""
    return change if change.prev == position else msgspec.structs.replace(change, prev=position)


def reason_of(change: LogChange) -> Reason:
    """Why the change that ends somebody's access does, for them."""
    return _REASONS[change.type]
