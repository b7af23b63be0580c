"""Sends a new member's sockets the current state of the conversation and subscribes them.

The state is read just before it is sent: however joins and leaves interleave, it is correct at its `position`.
"""

from __future__ import annotations

import asyncio
from uuid import UUID

import structlog

from app.domain.errors import Unavailable
from app.realtime.connection.connection import Connection, ConnectionGone
from app.realtime.frames.change_frames import ConversationCreated
from app.realtime.frames.frame_encoder import frame_of
from app.realtime.hub.catch_up import RETRY_SECONDS, catch_up
from app.realtime.hub.hub import Hub

log = structlog.get_logger(__name__)


class Joins:
    """Runs one join at a time per user and conversation. A second one follows if a socket still lacks it."""

    def __init__(self) -> None:
        self._running: dict[tuple[UUID, UUID], asyncio.Task[None]] = {}
        self._repeated: set[tuple[UUID, UUID]] = set()

    def __len__(self) -> int:
        """The number of running joins."""
        return len(self._running)

    def start(self, hub: Hub, user: UUID, conversation: UUID) -> None:
        key = (user, conversation)
        if key in self._running:
            self._repeated.add(key)
            return
        task = asyncio.create_task(_run(hub, user, conversation))
        self._running[key] = task
        task.add_done_callback(lambda _: self._done(hub, user, conversation))

    async def stop(self) -> None:
        tasks = list(self._running.values())
        self._repeated.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _done(self, hub: Hub, user: UUID, conversation: UUID) -> None:
        key = (user, conversation)
        del self._running[key]
        if key in self._repeated:
            self._repeated.discard(key)
            if _lacking(hub, user, conversation):
                self.start(hub, user, conversation)


def _lacking(hub: Hub, user: UUID, conversation: UUID) -> list[Connection]:
    sockets = hub.registry.sockets_by_user.get(user, ())
    return [connection for connection in sockets if connection.ready and connection.lacks(conversation)]


async def _run(hub: Hub, user: UUID, conversation: UUID) -> None:
    try:
        while _lacking(hub, user, conversation):
            try:
                with hub.snapshot_buffer.recording():
                    return await _send(hub, user, conversation)
            except Unavailable:
                await asyncio.sleep(RETRY_SECONDS)
    except Exception:
        log.exception("join_failed", conversation=str(conversation))


async def _send(hub: Hub, user: UUID, conversation: UUID) -> None:
    cursor = hub.snapshot_buffer.cursor()
    summary = await hub.reads.summary(user, conversation)
    if isinstance(summary, str):
        # Left again, or hidden. A socket unsubscribed for this join has not received that change.
        for connection in _lacking(hub, user, conversation):
            connection.revoke(conversation, summary)
        return
    created = frame_of(ConversationCreated(conversation=conversation, position=summary.position, prev=0, data=summary))
    for connection in _lacking(hub, user, conversation):
        connection.send_snapshot({conversation}, created)
        sent = hub.subscribe(connection, conversation, summary.position, summary.read_seq, cursor)
        if sent is not None:
            try:
                await catch_up(hub, connection, conversation, sent)
            except ConnectionGone:
                continue
