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
from app.realtime.frames.client_frames import (
    MAX_FRAME_BYTES,
    MAX_PENDING_RESUMES,
    MAX_RESUMED_CONVERSATIONS,
    MAX_RESUMING_CONVERSATIONS,
)
from app.realtime.frames.frame_encoder import frame_of
from app.realtime.frames.server_frames import Conversations, Hello, SocketLimits
from app.realtime.hub.catch_up import MAX_CHANGES, catch_up, retry_while_unavailable
from app.realtime.hub.hub import Hub

CONVERSATIONS_PER_FRAME = 50


def socket_limits(frames: int = frame_limits.FRAMES_PER_SECOND) -> SocketLimits:
    """Returns the limits that `hello` announces, for `frames` a second."""
    return SocketLimits(
        frame_bytes=MAX_FRAME_BYTES,
        text_characters=MAX_TEXT_LENGTH,
        resume_changes=MAX_CHANGES,
        frames_per_second=frames,
        bytes_per_second=frame_limits.bytes_per_second(frames),
        burst_seconds=int(frame_limits.BURST_SECONDS),
        resume_conversations=MAX_RESUMED_CONVERSATIONS,
        resumes=MAX_PENDING_RESUMES,
        resuming_conversations=MAX_RESUMING_CONVERSATIONS,
        sockets=SOCKETS_PER_USER,
        typing_per_second=frame_limits.TYPING_PER_SECOND,
        reads_per_second=frame_limits.READS_PER_SECOND,
        small_members=SMALL_CONVERSATION,
        unread_bytes=MAX_QUEUED_BYTES,
        unread_frames=MAX_QUEUED_FRAMES,
        malformed_frames=frame_limits.MAX_MALFORMED,
        malformed_seconds=int(frame_limits.MALFORMED_SECONDS),
    )


async def send_hello(hub: Hub, connection: Connection, heartbeat: int, limits: SocketLimits) -> None:
    """Send `hello` and subscribe to all conversations of the user. The connection is registered with the hub before.

    Raises:
        ConnectionGone: the login has ended, or the socket is closed.
    """
    with hub.snapshot_buffer.recording():
        cursor = hub.snapshot_buffer.cursor()
        snapshot = await retry_while_unavailable(connection, hub.reads.snapshot, connection.caller.session)
        if snapshot is None:
            refused = await retry_while_unavailable(connection, hub.reads.is_refused)
            connection.close(REFUSED if refused else NOT_AUTHENTICATED)
            raise ConnectionGone
        connection.put(
            frame_of(
                Hello(
                    session=connection.caller.session,
                    user=connection.user,
                    heartbeat=heartbeat,
                    limits=limits,
                    conversations=snapshot[:CONVERSATIONS_PER_FRAME],
                    next=len(snapshot) > CONVERSATIONS_PER_FRAME,
                )
            )
        )
        connection.ready = True
        await _subscribe(hub, connection, snapshot[:CONVERSATIONS_PER_FRAME], cursor)
        for first in range(CONVERSATIONS_PER_FRAME, len(snapshot), CONVERSATIONS_PER_FRAME):
            await connection.wait_for_space()
            part = snapshot[first : first + CONVERSATIONS_PER_FRAME]
            summaries = [summary for summary in part if summary.id not in connection.rooms]
            more = first + CONVERSATIONS_PER_FRAME < len(snapshot)
            frame = frame_of(Conversations(conversations=summaries, next=more))
            connection.send_snapshot({summary.id for summary in summaries}, frame)
            await _subscribe(hub, connection, summaries, cursor)
        connection.settled = True
        for conversation in hub.snapshot_buffer.joined_after(cursor, connection.user):
            if connection.lacks(conversation):
                hub.join(connection.user, conversation)
    if connection.close_code is not None:
        raise ConnectionGone


async def _subscribe(hub: Hub, connection: Connection, summaries: Sequence[ConversationSummary], cursor: int) -> None:
    behind: dict[UUID, int] = {}
    for summary in summaries:
        if summary.id in connection.catching_up:
            continue  # a `resume` is already catching up on it and subscribes afterwards
        sent = hub.subscribe(connection, summary.id, summary.position, summary.read_seq, cursor)
        if sent is not None:
            behind[summary.id] = sent
    for conversation, sent in behind.items():
        await catch_up(hub, connection, conversation, sent)
