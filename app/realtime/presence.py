"""Tracks presence: a user is online while a socket is open in any process, and offline within a minute of a crash.

Each process keeps its set of users in Redis and sends a heartbeat every ten seconds; the next heartbeat of any process
removes the users of a dead one. One script call reports all changes of a tick, and a user has ten seconds to reconnect
before going offline, so a thousand reconnecting sockets cause no burst of events. While Redis is unavailable, and for
two minutes after, presence is unknown.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog
from redis.asyncio import Redis

from app.db import Database
from app.domain.conversations.presence_audience import small_conversations
from app.domain.errors import ChatError
from app.realtime.bus.ephemeral_events import Event, PresenceChanged
from app.redis.client import RedisClient, RedisUnavailable

log = structlog.get_logger(__name__)

SCRIPT = Path(__file__).with_name("presence.lua").read_text(encoding="utf-8")

# One hash tag: the script needs all keys on one node of a cluster.
PROCESSES = "chat:{presence}:processes"
KNOWN_FROM = "chat:{presence}:whole"
USERS = "chat:{presence}:users:"

TICK_SECONDS = 1.0
HEARTBEAT_SECONDS = 10.0
DEAD_SECONDS = 40
EXPIRY_SECONDS = 180
LINGER_SECONDS = 10.0
"""How long a user without a socket still counts as online: long enough to reconnect."""

EMPTY_SECONDS = 20
"""Time for all processes to register their users in an empty Redis."""

UNKNOWN_SECONDS = 120
"""How long presence is unknown after Redis was unavailable, so no user counts as absent (the delivery promise)."""

MAX_PER_TICK = 500
"""Arrivals, and departures, per tick; the rest wait for the next tick."""

Publish = Callable[[Sequence[Event]], Awaitable[None]]


class Presence:
    """Call `arrived` and `left` for a user's first and last socket. Run `run()` as a task of the process."""

    def __init__(self, redis: RedisClient, database: Database, publish: Publish, process: str) -> None:
        self._redis = redis
        self._database = database
        self._publish = publish
        self._process = process
        self._online: set[UUID] = set()
        self._arrivals: dict[UUID, None] = {}
        self._departures: dict[UUID, float] = {}
        self._was_unavailable = False
        self._last_heartbeat = float("-inf")

    def arrived(self, user: UUID) -> None:
        self._departures.pop(user, None)
        if user not in self._online:
            self._online.add(user)
            self._arrivals[user] = None

    def left(self, user: UUID) -> None:
        self._departures[user] = time.monotonic() + LINGER_SECONDS

    async def run(self) -> None:
        """Update Redis and notify members, without end. No failure stops it."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            try:
                await self.tick()
            except Exception:
                log.exception("presence_failed")

    async def tick(self) -> None:
        """Report changes and send the heartbeat, if there are changes or a heartbeat is due."""
        now = time.monotonic()
        arrivals = list(islice(self._arrivals, MAX_PER_TICK))
        departures = [user for user, when in islice(self._departures.items(), MAX_PER_TICK) if when <= now]
        if not arrivals and not departures and now - self._last_heartbeat < HEARTBEAT_SECONDS:
            return
        try:
            arrived, departed = await self._update_redis(arrivals, departures)
        except RedisUnavailable:
            self._was_unavailable = True
            return
        self._was_unavailable, self._last_heartbeat = False, now
        for user in arrivals:
            self._arrivals.pop(user, None)
        for user in departures:
            if self._departures.get(user, now + 1) <= now:
                del self._departures[user]
                self._online.discard(user)
        if arrived or departed:
            await self._publish_changes(arrived, departed)

    async def _update_redis(self, arrivals: Sequence[UUID], departures: Sequence[UUID]) -> tuple[set[UUID], set[UUID]]:
        answer = await self._run_script(arrivals, departures, complete=False)
        if answer[0] == b"all":
            answer = await self._run_script(
                [user for user in self._online if user not in departures], (), complete=True
            )
        middle = answer.index(b"gone")
        return _users(answer[1:middle]), _users(answer[middle + 1 :])

    async def _run_script(self, arrivals: Sequence[UUID], departures: Sequence[UUID], *, complete: bool) -> list[bytes]:
        arguments: list[Any] = [self._process, USERS, DEAD_SECONDS, EXPIRY_SECONDS, EMPTY_SECONDS]
        arguments += [UNKNOWN_SECONDS if self._was_unavailable else 0, int(complete), len(arrivals)]
        arguments += [user.bytes for user in (*arrivals, *departures)]

        async def operation(client: Redis) -> list[bytes]:
            answer: list[bytes] = await client.eval(SCRIPT, 2, PROCESSES, KNOWN_FROM, *arguments)
            return answer

        return await self._redis.call(operation)

    async def _publish_changes(self, arrived: set[UUID], departed: set[UUID]) -> None:
        try:
            async with self._database.transaction() as session:
                shared = await small_conversations(session, arrived | departed)
        except ChatError:
            return  # presence events may be lost
        events: list[Event] = [
            PresenceChanged(conversation=conversation, user=user, online=user in arrived)
            for conversation, user in shared
        ]
        for start in range(0, len(events), MAX_PER_TICK):
            await self._publish(events[start : start + MAX_PER_TICK])


async def find_online(redis: RedisClient, users: Collection[UUID]) -> set[UUID] | None:
    """Returns those of `users` who are online, or None if unknown; then none may be treated as absent."""
    checked = list(users)

    async def operation(client: Redis) -> set[UUID] | None:
        (now, _), known_from, heartbeats = await _state(client)
        if known_from is None or now < int(known_from):
            return None
        async with client.pipeline(transaction=False) as pipeline:
            for process, heartbeat in heartbeats:
                if checked and now - heartbeat <= DEAD_SECONDS:
                    pipeline.smismember(USERS + process.decode(), [user.bytes for user in checked])
            answers = await pipeline.execute()
        return {user for found in answers for user, is_online in zip(checked, found, strict=True) if is_online}

    try:
        return await redis.call(operation)
    except RedisUnavailable:
        return None


async def _state(client: Redis) -> list[Any]:
    async with client.pipeline(transaction=False) as pipeline:
        pipeline.time()
        pipeline.get(KNOWN_FROM)
        pipeline.zrange(PROCESSES, 0, -1, withscores=True)
        return list(await pipeline.execute())


def _users(raw: Sequence[bytes]) -> set[UUID]:
    return {UUID(bytes=user) for user in raw}
