"""The driver's own client requests everything that is missing and accepts nothing less."""

from __future__ import annotations

from tests.system.chaos.good_history import HERE, change, line, message, received
from tests.system.chaos.record import Entry
from tests.system.chaos.replica import Replica

LONG = 2_000
"""More than a resume delivers: such a conversation is loaded over REST."""


def created(position: int) -> Entry:
    data = line(0, position - 2, position)
    return received(
        {"type": "conversation.created", "conversation": HERE, "position": position, "prev": 0, "data": data}
    )


def loaded(position: int) -> Entry:
    data = {"conversation": HERE, "position": position, "line": line(0, position - 2, position)}
    return Entry("loaded", 0.0, {**data, "messages": [], "members": []})


def test_missing_changes_are_requested_once() -> None:
    replica = Replica("linus")
    replica.take(received({"type": "hello", "conversations": [line(0, 2, 4)], "next": False}))
    replica.take(Entry("resume", 0.0, (1, {HERE: 0})))
    assert replica.take(change(4, "message.created", message(2), prev=0)) == []
    replica.take(received({"type": "caught_up", "ref": 1, "positions": {HERE: 4}}))
    assert replica.take(change(6, "message.created", message(4))) == [("resume", HERE)]
    replica.take(Entry("resume", 0.0, (2, {HERE: 4})))
    assert replica.take(change(7, "message.created", message(5))) == []


def test_a_load_older_than_the_snapshot_leads_to_a_resume() -> None:
    replica = Replica("linus")
    assert replica.take(created(LONG)) == [("load", HERE)]
    replica.take(received({"type": "access.revoked", "conversation": HERE, "reason": "left"}))
    assert replica.take(created(LONG + 3)) == [("load", HERE)]
    assert replica.take(loaded(LONG)) == [("resume", HERE)], "begun before it was given again"


def test_a_load_as_new_as_the_snapshot_suffices() -> None:
    replica = Replica("linus")
    replica.take(created(LONG))
    assert replica.take(loaded(LONG)) == []
    assert replica.take(change(LONG + 1, "message.created", message(5))) == []


def test_a_load_may_be_ahead_of_the_socket_without_an_error() -> None:
    replica = Replica("linus")
    replica.take(created(LONG))
    replica.take(loaded(LONG + 2))
    for position in (LONG + 1, LONG + 2, LONG + 3):
        replica.take(change(position, "message.created", message(position)))
    assert replica.held[HERE].position == LONG + 3
    assert replica.wrong == []
    replica.take(change(LONG + 2, "message.created", message(LONG + 2)))
    assert "twice" in replica.wrong[0]


def test_a_read_mark_received_during_a_load_is_kept() -> None:
    replica = Replica("linus")
    replica.take(created(LONG))
    replica.take(received({"type": "read", "conversation": HERE, "user": "linus", "seq": 7}))
    replica.take(loaded(LONG))
    assert replica.held[HERE].line["read_seq"] == 7
