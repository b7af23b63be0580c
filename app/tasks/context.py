"""The resources of a worker process: opened after the fork, on one event loop that lives as long as the process.

An engine or Redis pool opened before the fork would share its sockets with the parent. One opened on a different event
loop than the one that uses it fails at random.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from app.db import Database
from app.domain.notifications.in_app_notifications import NewNotice
from app.domain.notifications.unsubscribe import UnsubscribeTokens
from app.domain.throttling.usage_counts import Subjects
from app.store.cache_rebuild import RebuildResult
from app.tasks.letters.renderer import MailRenderer
from app.tasks.mail_transport import MailTransport
from app.throttling.usage_mover import UsageMover

T = TypeVar("T")

NOT_CONFIGURED = "The worker runtime is not configured: see app.worker."
CANCEL_SECONDS = 5.0
SEPARATE_SECONDS = 10.0


class NoticeSettings(msgspec.Struct, frozen=True):
    """How notifications are delivered.

    `after`: age at which an unread message causes one. `quiet`: pause between two mails about a conversation.
    `online` returns which of the users are online, None if presence is unknown. `deliver` sends to open sockets.
    """

    after: timedelta
    quiet: timedelta
    online: Callable[[Collection[UUID]], Awaitable[set[UUID] | None]]
    deliver: Callable[[Sequence[NewNotice]], Awaitable[None]]
    unsubscribe_tokens: UnsubscribeTokens


class TaskContext(msgspec.Struct, frozen=True):
    """The dependencies of tasks, built by the wiring: tasks know neither settings nor Redis.

    `audit` is the retention of the audit log. `subjects` maps throttled subjects to their stored ids.
    `post_alert` raises OSError if no channel accepted the text; None without a channel.
    """

    database: Database
    rebuild_cache: Callable[[UUID], Awaitable[int]]
    sweep_caches: Callable[[int, int], Coroutine[Any, Any, RebuildResult]]
    transport: MailTransport
    renderer: MailRenderer
    notices: NoticeSettings
    audit: timedelta
    usage_mover: UsageMover
    subjects: Subjects
    post_alert: Callable[[str], None] | None = None


class WorkerRuntime:
    """Runs coroutines for tasks. Call `configure` once per program, before the first task."""

    def __init__(self) -> None:
        self._open_context: Callable[[], TaskContext] | None = None
        self._context: TaskContext | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._process = 0

    def configure(self, open_context: Callable[[], TaskContext]) -> None:
        """Sets the function that opens the task context. Each process calls it on first use."""
        self._open_context = open_context

    def run(self, job: Callable[[TaskContext], Coroutine[Any, Any, T]]) -> T:
        """Returns the result of `job(context)`. The task's soft time limit interrupts it."""
        if self._context is None or self._loop is None or self._process != os.getpid():
            if self._open_context is None:
                raise RuntimeError(NOT_CONFIGURED)
            self._process = os.getpid()
            self._loop = asyncio.new_event_loop()
            self._context = self._open_context()
        return self._finish(self._loop, self._loop.create_task(job(self._context)))

    def run_separately(self, job: Callable[[TaskContext], Coroutine[Any, Any, T]]) -> T:
        """Runs `job` like `run`, with a context of its own that it closes afterwards.

        For the main process, which forks the task processes: they would share everything that is open at the fork.
        """
        if self._open_context is None:
            raise RuntimeError(NOT_CONFIGURED)
        loop, context = asyncio.new_event_loop(), self._open_context()
        try:
            return loop.run_until_complete(asyncio.wait_for(job(context), SEPARATE_SECONDS))
        finally:
            loop.run_until_complete(context.database.close())
            loop.close()

    def _finish(self, loop: asyncio.AbstractEventLoop, job: asyncio.Task[T]) -> T:
        try:
            return loop.run_until_complete(job)
        except BaseException:
            # The time limit interrupts the loop, not the job: without this it would run alongside the next one.
            if not job.done():
                job.cancel()
                loop.run_until_complete(asyncio.wait([job], timeout=CANCEL_SECONDS))
                if not job.done():
                    self._process = 0  # it ignores cancellation: the next job gets a new loop and context
            raise


worker_runtime = WorkerRuntime()
