"""Buffers live events while a snapshot is being read, so that none falls between the snapshot and the first live event.

The buffer keeps events only while at least one recording is open. It is bounded: a reader whose cursor has been evicted
receives None and must read again.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeAlias
from uuid import UUID

from app.domain.events import ListTurned, LogChange, ReadMoved

MAX_EVENTS = 4_096
MAX_BYTES = 8 * 1024 * 1024

BufferedEvent: TypeAlias = LogChange | ReadMoved | ListTurned


class SnapshotBuffer:
    """Open `recording()` around the reads; take `cursor()` before each read and `events_after(cursor, …)` after it."""

    def __init__(self) -> None:
        self._events: list[BufferedEvent] = []
        self._cursors: dict[UUID, list[int]] = {}
        self._size_bytes = 0
        self._first_cursor = 0
        self._open_recordings = 0

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Keeps events for as long as the context is open."""
        self._open_recordings += 1
        try:
            yield
        finally:
            self._open_recordings -= 1
            if not self._open_recordings:
                self._evict(len(self._events))

    def append(self, event: BufferedEvent) -> None:
        """Records `event` if a recording is open. Evicts the older half when a bound is exceeded."""
        if not self._open_recordings:
            return
        self._cursors.setdefault(event.conversation, []).append(self.cursor())
        self._events.append(event)
        self._size_bytes += _payload_bytes(event)
        if len(self._events) > MAX_EVENTS or self._size_bytes > MAX_BYTES:
            self._evict(len(self._events) // 2 + 1)

    def cursor(self) -> int:
        return self._first_cursor + len(self._events)

    def events_after(self, cursor: int, conversation: UUID) -> Sequence[BufferedEvent] | None:
        """Returns the events of `conversation` recorded after `cursor`, or None if some have been evicted."""
        if cursor < self._first_cursor:
            return None
        cursors = self._cursors.get(conversation, [])
        return [self._events[found - self._first_cursor] for found in cursors[bisect_left(cursors, cursor) :]]

    def joined_after(self, cursor: int, user: UUID) -> set[UUID]:
        """Returns the conversations that entered the list of `user` after `cursor`, as far as still buffered."""
        recent = self._events[max(cursor - self._first_cursor, 0) :]
        return {event.conversation for event in recent if _adds_to_list(event, user)}

    def _evict(self, count: int) -> None:
        self._size_bytes -= sum(_payload_bytes(event) for event in self._events[:count])
        del self._events[:count]
        self._first_cursor += count
        self._cursors = {}
        for cursor, event in enumerate(self._events, self._first_cursor):
            self._cursors.setdefault(event.conversation, []).append(cursor)


def _adds_to_list(event: BufferedEvent, user: UUID) -> bool:
    if isinstance(event, LogChange):
        return user in event.joining
    return isinstance(event, ListTurned) and event.user == user


def _payload_bytes(event: BufferedEvent) -> int:
    return len(event.data) if isinstance(event, LogChange) else 0
