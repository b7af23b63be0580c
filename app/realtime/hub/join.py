"""Sends a new member's sockets the current state of the conversation and subscribes them.

The state is read just before it is sent: however joins and leaves interleave, it is correct at its `position`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import UUID

import structlog

from app.domain.errors import Unavailable
from app.domain.events import BEGINNINGS, LogChange
from app.realtime.connection.connection import Connection, ConnectionGone
from app.realtime.frames.encoding import Frame, encode_json
from app.realtime.hub.catch_up import RETRY_SECONDS, catch_up

if TYPE_CHECKING:
    from app.realtime.hub.hub import Hub

log = structlog.get_logger(__name__)


class Joins:
    """Runs one join at a time per user and conversation. A second one follows if a socket still lacks it."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._running: dict[tuple[UUID, UUID], asyncio.Task[None]] = {}
        self._again: set[tuple[UUID, UUID]] = set()

    def hear(self, change: LogChange) -> None:
        """Start joins for a new member, or for members whose hidden conversation the change shows again."""
        begun = (change.subject,) if change.type in BEGINNINGS and change.subject is not None else change.shown
        for user in begun:
            if user in self._hub.people:
                self.start(user, change.conversation)

    def again(self, user: UUID, conversation: UUID) -> None:
        """Resend the current state to sockets of `user`: the conversation, or `access.revoked` if hidden or left."""
        room = self._hub.rooms.get(conversation)
        for connection in self._hub.mine(room, user) if room is not None else ():
            self._hub.unsubscribe(connection, conversation)
        if user in self._hub.people:
            self.start(user, conversation)

    def start(self, user: UUID, conversation: UUID) -> None:
        key = (user, conversation)
        if key in self._running:
            self._again.add(key)
            return
        task = asyncio.create_task(self._run(user, conversation))
        self._running[key] = task
        task.add_done_callback(lambda _: self._done(key))

    def _done(self, key: tuple[UUID, UUID]) -> None:
        del self._running[key]
        if key in self._again:
            self._again.discard(key)
            if self._lacking(*key):
                self.start(*key)

    async def stop(self) -> None:
        tasks = list(self._running.values())
        self._again.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _lacking(self, user: UUID, conversation: UUID) -> list[Connection]:
        sockets = self._hub.people.get(user, ())
        return [one for one in sockets if one.ready and one.lacks(conversation)]

    async def _run(self, user: UUID, conversation: UUID) -> None:
        try:
            while self._lacking(user, conversation):
                try:
                    with self._hub.passing.reading():
                        return await self._tell(user, conversation)
                except Unavailable:
                    await asyncio.sleep(RETRY_SECONDS)
        except Exception:
            log.exception("beginning_failed", conversation=str(conversation))

    async def _tell(self, user: UUID, conversation: UUID) -> None:
        passing = self._hub.passing
        mark = passing.mark()
        summary = await self._hub.journal.summary(user, conversation)
        if isinstance(summary, str):
            # Left again, or hidden. A socket unsubscribed for this join has not received that change.
            for connection in self._lacking(user, conversation):
                connection.revoke(conversation, summary)
            return
        data = encode_json(summary)
        created = Frame(
            b'{"type":"conversation.created","conversation":"%b","position":%d,"prev":0,"data":%b}'
            % (str(conversation).encode(), summary.position, data)
        )
        for connection in self._lacking(user, conversation):
            passed = passing.since(mark, {conversation})
            connection.give({conversation}, created)
            since = None if passed is None else passed.get(conversation, [])
            told = self._hub.subscribe(connection, conversation, summary.position, summary.read_seq, since)
            if told is not None:
                await self._catch_up(connection, conversation, told)

    async def _catch_up(self, connection: Connection, conversation: UUID, told: int) -> None:
        try:
            await catch_up(self._hub, connection, conversation, told)
        except ConnectionGone:
            return
