"""Events that arrive while a snapshot is read are kept, within bounds, and only then."""

from __future__ import annotations

from uuid import UUID

import pytest

from app.domain.events import ListTurned, LogChange, ReadMoved
from app.realtime.hub import snapshot_buffer
from app.realtime.hub.snapshot_buffer import SnapshotBuffer

HERE, THERE = UUID(int=1), UUID(int=2)
ADA, LINUS = UUID(int=10), UUID(int=11)


def message(position: int, conversation: UUID = HERE, shown: tuple[UUID, ...] = ()) -> LogChange:
    return LogChange(
        type="message.created", conversation=conversation, position=position, prev=position - 1, data=b"{}", shown=shown
    )


def joined(user: UUID) -> LogChange:
    return LogChange(type="member.joined", conversation=HERE, position=1, prev=0, data=b"{}", subject=user)


def test_a_reader_receives_the_events_of_its_conversation_after_its_cursor() -> None:
    buffer = SnapshotBuffer()
    with buffer.recording():
        buffer.append(message(1))
        cursor = buffer.cursor()
        read = ReadMoved(conversation=HERE, user=ADA, seq=1, small=True)
        for event in (message(2), message(1, THERE), read):
            buffer.append(event)
        assert buffer.events_after(cursor, HERE) == [message(2), read]
        assert buffer.events_after(cursor, THERE) == [message(1, THERE)]
        assert buffer.events_after(buffer.cursor(), HERE) == []
        assert buffer.events_after(cursor, UUID(int=3)) == []


def test_nothing_is_kept_without_a_recording() -> None:
    buffer = SnapshotBuffer()
    cursor = buffer.cursor()
    buffer.append(message(1))
    with buffer.recording():
        assert buffer.events_after(cursor, HERE) == []
        with buffer.recording():
            buffer.append(message(2))
        assert buffer.events_after(cursor, HERE) == [message(2)]
    assert buffer.events_after(cursor, HERE) is None


@pytest.mark.parametrize(("events", "size"), [(10, 1 << 20), (1_000, 40)])
def test_a_reader_whose_events_were_evicted_must_read_again(
    events: int, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot_buffer, "MAX_EVENTS", events)
    monkeypatch.setattr(snapshot_buffer, "MAX_BYTES", size)
    buffer = SnapshotBuffer()
    with buffer.recording():
        early = late = buffer.cursor()
        for position in range(1, 31):
            late = buffer.cursor()
            buffer.append(message(position, HERE if position % 2 else THERE))
        assert buffer.events_after(early, HERE) is None
        assert buffer.events_after(late, THERE) == [message(30, THERE)]
        recent = buffer.events_after(buffer.cursor() - 4, HERE)
        assert recent == [message(27), message(29)]


def test_the_conversations_that_enter_a_users_list_are_found() -> None:
    buffer = SnapshotBuffer()
    with buffer.recording():
        buffer.append(joined(ADA))
        cursor = buffer.cursor()
        buffer.append(message(2, THERE, shown=(LINUS,)))
        assert buffer.joined_after(0, ADA) == {HERE}
        assert buffer.joined_after(cursor, ADA) == set()
        assert buffer.joined_after(0, LINUS) == {THERE}
        buffer.append(ListTurned(conversation=THERE, user=ADA))
        assert buffer.joined_after(cursor, ADA) == {THERE}
