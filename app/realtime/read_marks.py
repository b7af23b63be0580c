"""Merges `read` frames before they become transactions: only the furthest position matters.

A user has `READS_PER_SECOND` transactions, over all their sockets in this process. Frames beyond that wait, and later
frames of the same conversation join them: the furthest `seq` that exists is stored, and every frame is answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from uuid import UUID

import structlog

from app.db import Database
from app.domain.conversations import read_cursors
from app.domain.conversations.schemas import ReadState
from app.domain.error_catalogue import internal
from app.domain.errors import ChatError, Throttled
from app.realtime.connection.frame_limits import READS_PER_SECOND, UserAllowances

MAX_WAITING_FRAMES = 1_000
"""Waiting frames per user. Further ones are answered with `throttled`."""

log = structlog.get_logger(__name__)

Outcome = ReadState | ChatError
Answer = Callable[[Outcome], None]
Marks = dict[int, list[Answer]]
"""The callbacks waiting for an outcome, by `seq`."""


class PendingMarks:
    """One user's read marks that are not stored yet, by conversation; `count` frames in total."""

    __slots__ = ("count", "marks")

    def __init__(self) -> None:
        self.marks: dict[UUID, Marks] = {}
        self.count = 0

    def add(self, conversation: UUID, seq: int, answer: Answer) -> None:
        self.marks.setdefault(conversation, {}).setdefault(seq, []).append(answer)
        self.count += 1

    def pop(self) -> tuple[UUID, Marks]:
        """Removes and returns the marks of the conversation that has waited longest."""
        conversation = next(iter(self.marks))
        marks = self.marks.pop(conversation)
        self.count -= sum(map(len, marks.values()))
        return conversation, marks


class ReadMarks:
    """`stop` stores the waiting marks first."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._allowances = UserAllowances(READS_PER_SECOND)
        self._waiting: dict[UUID, PendingMarks] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()

    async def mark(self, user: UUID, conversation: UUID, seq: int, answer: Answer) -> None:
        """Mark the conversation as read up to `seq`. Calls `answer` with the outcome, later if many frames wait.

        Raises:
            Throttled: too many frames of the user are waiting.
        """
        waiting = self._waiting.get(user)
        if waiting is None and self._allowances.bucket_of(user).take():
            await self._store(user, conversation, {seq: [answer]})
            return
        if waiting is None:
            waiting = self._waiting[user] = PendingMarks()
            task = asyncio.create_task(self._store_all(user, waiting))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if waiting.count >= MAX_WAITING_FRAMES:
            raise Throttled("read", 1, limit=READS_PER_SECOND, window=1)
        waiting.add(conversation, seq, answer)

    async def stop(self) -> None:
        self._stopping.set()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _store_all(self, user: UUID, waiting: PendingMarks) -> None:
        bucket = self._allowances.bucket_of(user)
        try:
            while waiting.marks:
                while not self._stopping.is_set() and not bucket.take():
                    await self._pause(bucket.seconds)
                await self._store(user, *waiting.pop())
        finally:
            del self._waiting[user]

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()

    async def _store(self, user: UUID, conversation: UUID, marks: Marks) -> None:
        outcomes: Mapping[int, Outcome]
        try:
            async with self._database.transaction() as session:
                outcomes = await read_cursors.read_furthest(session, conversation, user, marks)
        except ChatError as error:
            outcomes = dict.fromkeys(marks, error)
        except Exception:
            log.exception("read_marks_failed")
            outcomes = dict.fromkeys(marks, internal())
        for seq, answers in marks.items():
            for answer in answers:
                answer(outcomes[seq])
