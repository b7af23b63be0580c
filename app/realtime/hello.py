"""Sends `hello` and the rest of its snapshot, then subscribes the socket to every conversation in it.

The socket enters the hub before the snapshot is read. Events that arrived during the read and are newer than the
snapshot follow the frame that lists their conversation.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from app.domain.events import SMALL_CONVERSATION
from app.domain.inbox.schemas import ConversationSummary
from app.domain.messages.content import MAX_TEXT_LENGTH
from app.realtime.connection import frame_limits
from app.realtime.connection.close_codes import NOT_AUTHENTICATED, REFUSED
from app.realtime.connection.connection import (
    MAX_QUEUED_BYTES,
    MAX_QUEUED_FRAMES,
    SOCKETS_PER_USER,
    Connection,
    ConnectionGone,
)
from app.realtime.frames.client_frames import MAX_FRAME_BYTES, MAX_RESUMED_CONVERSATIONS, MOST_RESUMES, MOST_RESUMING
from app.realtime.frames.encoding import frame_of
from app.realtime.frames.server_frames import Conversations, Hello, SocketLimits
from app.realtime.hub.catch_up import MAX_CHANGES, catch_up, patiently
from app.realtime.hub.hub import Hub

LINES = 50
"""Conversations per frame."""


def limits(frames: int = frame_limits.FRAMES_PER_SECOND) -> SocketLimits:
    """Returns the limits that `hello` announces, for `frames` a second."""
    return SocketLimits(
        frame_bytes=MAX_FRAME_BYTES,
        text_characters=MAX_TEXT_LENGTH,
        resume_changes=MAX_CHANGES,
        frames_per_second=frames,
        bytes_per_second=frame_limits.bytes_per_second(frames),
        burst_seconds=int(frame_limits.BURST_SECONDS),
        resume_conversations=MAX_RESUMED_CONVERSATIONS,
        resumes=MOST_RESUMES,
        resuming_conversations=MOST_RESUMING,
        sockets=SOCKETS_PER_USER,
        typing_per_second=frame_limits.TYPING_PER_SECOND,
        reads_per_second=frame_limits.READS_PER_SECOND,
        small_members=SMALL_CONVERSATION,
        unread_bytes=MAX_QUEUED_BYTES,
        unread_frames=MAX_QUEUED_FRAMES,
        malformed_frames=frame_limits.MAX_MALFORMED,
        malformed_seconds=int(frame_limits.MALFORMED_SECONDS),
    )


async def greet(hub: Hub, connection: Connection, heartbeat: int, limits: SocketLimits) -> None:
    """Send `hello` and subscribe to all conversations of the user. The connection has entered the hub before.

    Raises:
        ConnectionGone: the login has ended, or the socket is closed.
    """
    with hub.replay_buffer.recording():
        cursor = hub.replay_buffer.cursor()
        snapshot = await patiently(connection, hub.reads.snapshot, connection.caller.session)
        if snapshot is None:
            refused = await patiently(connection, hub.reads.is_refused)
            connection.close(REFUSED if refused else NOT_AUTHENTICATED)
            raise ConnectionGone
        connection.put(
            frame_of(
                Hello(
                    session=connection.caller.session,
                    user=connection.user,
                    heartbeat=heartbeat,
                    limits=limits,
                    conversations=snapshot[:LINES],
                    next=len(snapshot) > LINES,
                )
            )
        )
        connection.ready = True
        await _subscribe(hub, connection, snapshot[:LINES], cursor)
        for first in range(LINES, len(snapshot), LINES):
            await connection.room_for_more()
            lines = [line for line in snapshot[first : first + LINES] if line.id not in connection.rooms]
            more = first + LINES < len(snapshot)
            frame = frame_of(Conversations(conversations=lines, next=more))
            connection.give({line.id for line in lines}, frame)
            await _subscribe(hub, connection, lines, cursor)
        connection.settled = True
        for conversation in hub.replay_buffer.joined_after(cursor, connection.user):
            if connection.lacks(conversation):
                hub.join(connection.user, conversation)
    if connection.close_code is not None:
        raise ConnectionGone


async def _subscribe(hub: Hub, connection: Connection, lines: Sequence[ConversationSummary], cursor: int) -> None:
    behind: dict[UUID, int] = {}
    for line in lines:
        if line.id in connection.catching:
            continue  # a `resume` is already catching up on it and subscribes afterwards
        sent = hub.subscribe(connection, line.id, line.position, line.read_seq, cursor)
        if sent is not None:
            behind[line.id] = sent
    for conversation, sent in behind.items():
        await catch_up(hub, connection, conversation, sent)
