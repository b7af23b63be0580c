"""A worker process's own tools: opened after the fork, on one event loop that lives as long as the process.

An engine or a Redis pool opened before the fork would share its sockets with the parent; one opened on another loop
than the one that uses it fails at random.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from datetime import timedelta
from typing import Any, Protocol, TypeVar
from uuid import UUID

import msgspec

from app.db import Database
from app.domain.notifications.unsubscribing import Unsubscribing
from app.domain.throttling.counts import Flight, Subjects
from app.tasks.letters import Letterhead
from app.tasks.post import Post

T = TypeVar("T")


class Notices(msgspec.Struct, frozen=True):
    """How notifications are told. `online`: who of these is there, None when nobody knows. `tell`: (user, frame) each.

    `after` an unread message, `quiet` between two mails about a conversation.
    """

    after: timedelta
    quiet: timedelta
    online: Callable[[Collection[UUID]], Awaitable[set[UUID] | None]]
    tell: Callable[[Sequence[tuple[UUID, bytes]]], Awaitable[None]]
    unsubscribing: Unsubscribing


class Tallies(Protocol):
    """What the throttles counted, on its way from Redis. Each raises Unavailable when that is away."""

    async def flights(self) -> list[int]:
        """The minutes whose counts are on their way, the oldest first."""

    async def read(self, minute: int) -> Flight | None:
        """What is on its way from that minute."""

    async def drop(self, flight: Flight) -> None:
        """It has arrived."""


class Tools(msgspec.Struct, frozen=True):
    """What tasks work with. Wiring makes them: tasks know neither settings nor Redis.

    `audit` is how long the audit is kept, `subjects` whom throttles counted, as stored.
    """

    database: Database
    rebuild_cache: Callable[[UUID], Awaitable[int]]
    post: Post
    letterhead: Letterhead
    notices: Notices
    audit: timedelta
    tallies: Tallies
    subjects: Subjects


class Workshop:
    """Runs coroutines for tasks. `furnish` once per program, before the first task."""

    def __init__(self) -> None:
        self._open: Callable[[], Tools] | None = None
        self._tools: Tools | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._process = 0

    def furnish(self, opener: Callable[[], Tools]) -> None:
        """Say how tools are opened; it happens on first use in each process."""
        self._open = opener

    def run(self, job: Callable[[Tools], Coroutine[Any, Any, T]]) -> T:
        """The result of `job(tools)`. Its deadline is the task's soft time limit, which interrupts it."""
        if self._tools is None or self._loop is None or self._process != os.getpid():
            if self._open is None:
                raise RuntimeError("The workshop has not been furnished: see app.worker.")
            self._process = os.getpid()
            self._loop = asyncio.new_event_loop()
            self._tools = self._open()
        return self._loop.run_until_complete(job(self._tools))


workshop = Workshop()
