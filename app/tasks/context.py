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
from app.domain.notifications.unsubscribe import UnsubscribeTokens
from app.domain.throttling.usage_counts import Subjects, UsageBatch
from app.tasks.letters import MailRenderer
from app.tasks.smtp import MailTransport

T = TypeVar("T")

NOT_CONFIGURED = "The workshop has not been furnished: see app.worker."
CANCEL_SECONDS = 5.0
ASIDE_SECONDS = 10.0


class NoticeSettings(msgspec.Struct, frozen=True):
    """How notifications are told. `online`: who of these is there, None when nobody knows. `tell`: (user, frame) each.

    `after` an unread message, `quiet` between two mails about a conversation.
    """

    after: timedelta
    quiet: timedelta
    online: Callable[[Collection[UUID]], Awaitable[set[UUID] | None]]
    tell: Callable[[Sequence[tuple[UUID, bytes]]], Awaitable[None]]
    unsubscribing: UnsubscribeTokens


class Tallies(Protocol):
    """What the throttles counted, on its way from Redis. Each raises Unavailable when that is away."""

    async def flights(self) -> list[int]:
        """The minutes whose counts are on their way, the oldest first."""

    async def read(self, minute: int) -> UsageBatch | None:
        """What is on its way from that minute."""

    async def drop(self, flight: UsageBatch) -> None:
        """It has arrived."""


class Slack(Protocol):
    def tell(self, text: str) -> None:
        """Raises OSError when it was not taken."""


class Swept(Protocol):
    """What became of a sweep over caches."""

    @property
    def warmed(self) -> int: ...
    @property
    def repaired(self) -> int: ...
    @property
    def left(self) -> int: ...


class TaskContext(msgspec.Struct, frozen=True):
    """What tasks work with. Wiring makes them: tasks know neither settings nor Redis.

    `audit` is how long the audit is kept, `subjects` whom throttles counted, as stored.
    """

    database: Database
    rebuild_cache: Callable[[UUID], Awaitable[int]]
    sweep_caches: Callable[[int, int], Coroutine[Any, Any, Swept]]
    post: MailTransport
    letterhead: MailRenderer
    notices: NoticeSettings
    audit: timedelta
    tallies: Tallies
    subjects: Subjects
    slack: Slack | None = None


class WorkerRuntime:
    """Runs coroutines for tasks. `furnish` once per program, before the first task."""

    def __init__(self) -> None:
        self._open: Callable[[], TaskContext] | None = None
        self._tools: TaskContext | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._process = 0

    def furnish(self, opener: Callable[[], TaskContext]) -> None:
        """Say how tools are opened; it happens on first use in each process."""
        self._open = opener

    def run(self, job: Callable[[TaskContext], Coroutine[Any, Any, T]]) -> T:
        """The result of `job(tools)`. Its deadline is the task's soft time limit, which interrupts it."""
        if self._tools is None or self._loop is None or self._process != os.getpid():
            if self._open is None:
                raise RuntimeError(NOT_CONFIGURED)
            self._process = os.getpid()
            self._loop = asyncio.new_event_loop()
            self._tools = self._open()
        return self._finish(self._loop, self._loop.create_task(job(self._tools)))

    def run_aside(self, job: Callable[[TaskContext], Coroutine[Any, Any, T]]) -> T:
        """The same with tools of its own, closed afterwards: in a process that runs no tasks, and forks those that do.

        What is open there when it forks would be shared with its children.
        """
        if self._open is None:
            raise RuntimeError(NOT_CONFIGURED)
        loop, tools = asyncio.new_event_loop(), self._open()
        try:
            return loop.run_until_complete(asyncio.wait_for(job(tools), ASIDE_SECONDS))
        finally:
            loop.run_until_complete(tools.database.close())
            loop.close()

    def _finish(self, loop: asyncio.AbstractEventLoop, job: asyncio.Task[T]) -> T:
        try:
            return loop.run_until_complete(job)
        except BaseException:
            # The time limit interrupts the loop, not the job: it would go on beside the next one.
            if not job.done():
                job.cancel()
                loop.run_until_complete(asyncio.wait([job], timeout=CANCEL_SECONDS))
                if not job.done():
                    self._process = 0  # it does not listen: the next one gets a loop and tools of its own
            raise


worker_runtime = WorkerRuntime()
