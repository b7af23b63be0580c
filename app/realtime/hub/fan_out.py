"""Delivers a run of consecutive changes to a room, with one write per socket.

The changes of a busy room arrive in batches, as they were committed. Joined once, a batch costs each of a thousand
sockets one write instead of one per message.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from operator import attrgetter

import msgspec

from app.domain.events import BEGINNINGS, ENDINGS, LogChange
from app.realtime.connection.connection import Connection
from app.realtime.connection.socket_metrics import DELIVERY
from app.realtime.frames.frame_encoder import change_frame, frame_of, sent_at_of
from app.realtime.frames.server_frames import Reason
from app.realtime.hub.room import Room
from app.realtime.hub.snapshot_buffer import BufferedEvent

MAX_RUN_BYTES = 64 * 1024
"""Bytes per write: about what a transport accepts at once."""

_REASONS: dict[str, Reason] = {
    "member.left": "left",
    "member.removed": "removed",
    "conversation.deleted": "deleted",
}


def group_by_conversation(changes: Sequence[LogChange]) -> Iterator[list[LogChange]]:
    """Splits the changes of one conversation into runs, in which each change follows the one before.

    Only message changes are grouped. A change of membership changes the recipients and is a run of its own.
    """
    run: list[LogChange] = []
    size = 0
    for change in changes:
        follows = run and change.prev == run[-1].position and run[-1].seq and change.seq
        if run and not (follows and size + len(change.data) <= MAX_RUN_BYTES):
            yield run
            run, size = [], 0
        run.append(change)
        size += len(change.data)
    if run:
        yield run


def deliver_to_room(room: Room, run: Sequence[LogChange]) -> None:
    """Send `run` to all subscribers without awaiting. It must follow the delivered position."""
    if room.ahead:
        for change in run:
            _deliver_individually(room, change)
    else:
        frame = frame_of(*map(change_frame, run))
        for connection in room.connections:
            connection.put(frame)
    if room.connections and run[-1].type == "message.created":
        DELIVERY.observe(max(0.0, time.time() - sent_at_of(run[-1].data).timestamp()))


def _deliver_individually(room: Room, change: LogChange) -> None:
    """Send a change to each socket separately, because some have newer snapshots than the delivered position."""
    frame, ahead = frame_of(change_frame(change)), room.ahead or {}
    for connection in room.connections:
        known = ahead.get(connection)
        if known is None:
            connection.put(frame)
            continue
        if change.position > known:
            connection.put(frame_of(change_frame(following(change, known))))
        if change.position >= known:
            del ahead[connection]
    room.ahead = ahead or None


def deliver_missed(
    connection: Connection, room: Room, position: int, recorded: Sequence[BufferedEvent]
) -> tuple[int, LogChange | None]:
    """Send one socket the recorded changes that `room` received after `position`, up to the first gap.

    Returns the position sent last, and the change at which its own user joined (not sent) or left, if there is one.
    """
    changes = [
        event for event in recorded if isinstance(event, LogChange) and position < event.position <= room.delivered
    ]
    for change in sorted(changes, key=attrgetter("position")):
        if not change.prev <= position < change.position:
            continue
        is_own = change.subject == connection.user
        if is_own and change.type in BEGINNINGS:
            return position, change
        connection.put(frame_of(change_frame(following(change, position))))
        position = change.position
        if is_own and change.type in ENDINGS:
            return position, change
    return position, None


def following(change: LogChange, position: int) -> LogChange:
    """Returns the change with `prev` set to `position`, for a socket that already has part of the gap it covers."""
    return change if change.prev == position else msgspec.structs.replace(change, prev=position)


def reason_of(change: LogChange) -> Reason:
    """Returns the reason for `access.revoked` after a change that ends access."""
    return _REASONS[change.type]
