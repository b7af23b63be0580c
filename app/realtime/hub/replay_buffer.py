"""Buffers live events while a snapshot is being read, so that none falls between the snapshot and the first live event.

The buffer keeps events only while at least one reader is open. It is bounded: a reader whose mark has been evicted
receives None and must read again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import TypeAlias
from uuid import UUID

from app.domain.events import BEGINNINGS, ListTurned, LogChange, ReadMoved

MAX_EVENTS = 4_096
MAX_BYTES = 8 * 1024 * 1024

Replayable: TypeAlias = LogChange | ReadMoved | ListTurned


class ReplayBuffer:
    """Open `reading()` around the reads; call `mark()` before each read and `since(mark, …)` after it."""

    def __init__(self) -> None:
        self._kept: list[Replayable] = []
        self._bytes = 0
        self._first = 0
        self._readers = 0

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Keeps events for as long as the context is open."""
        self._readers += 1
        try:
            yield
        finally:
            self._readers -= 1
            if not self._readers:
                self._forget(len(self._kept))

    def note(self, event: Replayable) -> None:
        if not self._readers:
            return
        self._kept.append(event)
        self._bytes += _payload_bytes(event)
        if len(self._kept) > MAX_EVENTS or self._bytes > MAX_BYTES:
            self._forget(len(self._kept) // 2 + 1)

    def mark(self) -> int:
        return self._first + len(self._kept)

    def since(self, mark: int, conversations: Collection[UUID]) -> dict[UUID, list[Replayable]] | None:
        """Returns the events of `conversations` since `mark`, or None if some have been evicted."""
        if mark < self._first:
            return None
        found: dict[UUID, list[Replayable]] = {}
        for event in self._kept[mark - self._first :]:
            if event.conversation in conversations:
                found.setdefault(event.conversation, []).append(event)
        return found

    def beginnings(self, mark: int, user: UUID) -> set[UUID]:
        """Returns the conversations that entered the list of `user` since `mark`, as far as still buffered."""
        kept = self._kept[max(mark - self._first, 0) :]
        return {event.conversation for event in kept if _begins(event, user)}

    def _forget(self, count: int) -> None:
        self._bytes -= sum(_payload_bytes(event) for event in self._kept[:count])
        del self._kept[:count]
        self._first += count


def _begins(event: Replayable, user: UUID) -> bool:
    if isinstance(event, LogChange):
        return user in event.shown or (event.subject == user and event.type in BEGINNINGS)
    return isinstance(event, ListTurned) and event.user == user


def _payload_bytes(event: Replayable) -> int:
    return len(event.data) if isinstance(event, LogChange) else 0
