"""The rules of the view: apply what is consecutive, drop what is old, request what is missing."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from chat_client import events
from chat_client.held import MOST_WAITING
from chat_client.link import RESUMED_TOGETHER
from chat_client.rows import Conversation, Message, row
from chat_client.view import View

from app.realtime.frames.client_frames import MAX_FRAME_BYTES
from tests.docs.markers import ROOT

Json = dict[str, Any]
GOLDEN = ROOT / "tests" / "system" / "golden"
ROOM = "room"
MOST = 2_000


def golden(name: str) -> Json:
    frame: Json = msgspec.json.decode((GOLDEN / f"frame.{name}.json").read_bytes())
    return frame


def line(position: int = 10, last_seq: int = 5, **fields: object) -> Json:
    given: Json = golden("hello")["conversations"][0]
    return {**given, "id": ROOM, "position": position, "last_seq": last_seq, "last_message": None, **fields}


def hello(*lines: Json, more: bool = False) -> Json:
    return {**golden("hello"), "user": "me", "conversations": list(lines), "next": more}


def message(seq: int, position: int, text: str = "", prev: int | None = None, what: str = "created") -> Json:
    data = {**golden("message.created")["data"], "seq": seq, "position": position, "text": text, "id": f"m{seq}"}
    prev = position - 1 if prev is None else prev
    return {"type": f"message.{what}", "conversation": ROOM, "position": position, "prev": prev, "data": data}


@pytest.fixture
def view() -> View:
    """At position 10, where five messages have been sent."""
    made = View(keep=4)
    made.take(hello(line()))
    return made


def texts(view: View) -> list[str]:
    return [one.text for one in view.held[ROOM].messages]


def test_a_consecutive_change_is_applied_once(view: View) -> None:
    frame = message(6, 11, "six")
    (received,) = view.take(frame)
    assert isinstance(received, events.MessageChanged)
    assert view.take(frame) == []
    assert (texts(view), view.held[ROOM].line.position, view.held[ROOM].line.last_seq) == (["six"], 11, 6)
    assert view.begin_resume("r", MOST) == {}


def test_a_gap_is_reported_and_requested_once(view: View) -> None:
    assert view.take(message(7, 12)) == [events.GapFound(ROOM, 10)]
    assert view.begin_resume("r", MOST) == {ROOM: 10}
    assert view.take(message(8, 13)) == [], "it comes again"
    view.take(message(7, 12, "edited", prev=10, what="updated"))
    view.take(message(6, 13, "six"))
    view.take({"type": "caught_up", "ref": "r", "positions": {ROOM: 13}})
    assert texts(view) == ["six", "edited"]
    assert view.take(message(9, 15)) == [events.GapFound(ROOM, 13)]


def test_the_view_keeps_a_bounded_number_of_messages(view: View) -> None:
    for number in range(6, 16):
        view.take(message(number, number + 5, str(number)))
    assert texts(view) == ["12", "13", "14", "15"]
    assert view.held[ROOM].floor == 11
    view.take(message(8, 21, "old, edited", what="updated"))
    assert texts(view) == ["12", "13", "14", "15"]


def test_a_loaded_page_does_not_undo_a_newer_change(view: View) -> None:
    held = view.held[ROOM]
    held.loads += 1
    view.take(message(4, 11, "edited", what="updated"))
    held.load([row(Message, message(seq, seq)["data"]) for seq in (4, 5)])
    held.loaded()
    assert [(one.seq, one.text) for one in held.messages] == [(4, "edited"), (5, "")]
    held.load([row(Message, message(seq, seq)["data"]) for seq in (1, 2)])
    assert [one.seq for one in held.messages] == [4, 5], "a run has no hole"


def test_a_reset_waits_for_the_load_and_continues_from_it(view: View) -> None:
    assert view.take({"type": "reset", "ref": "r", "conversation": ROOM}) == []
    assert view.resets == {ROOM}
    assert view.take(message(2001, 4001, "in the load")) == []
    assert view.take(message(2002, 4002, "after it")) == []
    loaded = row(Conversation, line(position=4001, last_seq=2001))
    received = view.reload(ROOM, loaded, [row(Message, message(2001, 4001, "in the load")["data"])])
    assert [type(event) for event in received] == [events.Reset, events.MessageChanged]
    assert texts(view) == ["in the load", "after it"]
    assert view.held[ROOM].line.position == 4002


def test_a_load_that_fails_leaves_the_old_position_although_caught_up_has_a_newer_one(view: View) -> None:
    view.take({"type": "reset", "ref": "r", "conversation": ROOM})
    view.take({"type": "caught_up", "ref": "r", "positions": {ROOM: 4001}})
    view.connected()
    view.take(hello(line(position=4001)))
    assert view.held[ROOM].line.position == 10


def test_changes_waiting_for_a_load_are_bounded_and_the_rest_is_a_gap(view: View) -> None:
    view.take({"type": "reset", "ref": "r", "conversation": ROOM})
    for seq in range(6, 6 + MOST_WAITING + 5):
        view.take(message(seq, seq + 5))
    assert len(view.held[ROOM].waiting or ()) == MOST_WAITING
    view.reload(ROOM, row(Conversation, line()), [])
    stands = 10 + MOST_WAITING
    assert view.take(message(9_999, stands + 6)) == [events.GapFound(ROOM, stands)]


def test_a_missing_load_is_requested_again_on_the_next_socket(view: View) -> None:
    view.take({"type": "reset", "ref": "r", "conversation": ROOM})
    view.resets.clear()
    view.connected()
    assert view.resets == {ROOM}


def test_a_conversation_missing_from_the_snapshot_is_gone_at_its_end(view: View) -> None:
    view.connected()
    assert view.take(hello(more=True)) == [events.Connected("me")]
    rest = {"type": "conversations", "conversations": [], "next": False}
    assert view.take(rest) == [events.ConversationRemoved(ROOM, "not_a_member")]


def test_a_conversation_that_is_created_before_the_end_of_the_snapshot_stays(view: View) -> None:
    view.connected()
    view.take(hello(more=True))
    view.take({**golden("conversation.created"), "conversation": ROOM, "position": 14, "data": line(14)})
    assert view.take({"type": "conversations", "conversations": [], "next": False}) == []
    assert ROOM in view.held
    assert view.begin_resume("r", MOST) == {ROOM: 10}


def test_conversation_created_for_a_known_conversation_requests_its_changes(view: View) -> None:
    frame = {**golden("conversation.created"), "conversation": ROOM, "position": 14, "data": line(14)}
    assert view.take(frame) == [events.GapFound(ROOM, 10)]
    assert view.begin_resume("r", MOST) == {ROOM: 10}


def test_a_position_that_moved_back_is_a_gap(view: View) -> None:
    view.connected()
    assert events.GapFound(ROOM, 10) in view.take(hello(line(position=7)))
    assert view.begin_resume("r", MOST) == {ROOM: 10}, "and the server says reset"


def test_an_own_read_mark_lowers_the_unread_count(view: View) -> None:
    view.take(message(6, 11, "six"))
    before = view.held[ROOM].line.unread
    view.take({"type": "read", "conversation": ROOM, "user": "me", "seq": 6})
    assert before > view.held[ROOM].line.unread == 0
    view.take({"type": "read", "conversation": ROOM, "user": "me", "seq": 2})
    assert view.held[ROOM].line.unread == 0, "it never moves back"


def test_an_unknown_frame_is_reported_and_harmless(view: View) -> None:
    assert view.take({"type": "reaction", "conversation": ROOM}) == [events.Unknown("reaction")]
    frame = message(6, 11, "six")
    frame["data"]["invented_later"] = 1
    view.take(frame)
    assert texts(view) == ["six"]


def test_every_golden_frame_is_understood() -> None:
    for file in GOLDEN.glob("frame.*.json"):
        view = View(keep=4)
        frame = msgspec.json.decode(file.read_bytes())
        if frame["type"] != "hello":
            view.take(golden("hello"))
        assert not any(isinstance(event, events.Unknown) for event in view.take(frame)), file.name


def test_five_thousand_missed_conversations_are_resumed_in_parts_that_fit_a_frame() -> None:
    view = View(keep=4)
    ids = [str(uuid4()) for _ in range(5_000)]
    view.take(hello(*(line(2**62, id=one) for one in ids)))
    view.take(hello(*(line(2**62 + 1, id=one) for one in ids)))
    requested: dict[str, int] = {}
    parts = 0
    while view.missed:
        part = view.begin_resume(f"part {parts}", RESUMED_TOGETHER)
        assert len(json.dumps({"type": "resume", "ref": "c" * 60, "conversations": part})) <= MAX_FRAME_BYTES
        requested |= part
        parts += 1
    assert (set(requested), parts) == (set(ids), 3)
    view.take({"type": "caught_up", "ref": "part 0", "positions": {}})
    assert sum(held.resume_ref is None for held in view.held.values()) == RESUMED_TOGETHER


def test_a_refused_resume_is_requested_again(view: View) -> None:
    view.take(message(8, 13))
    assert view.begin_resume("r", MOST) == {ROOM: 10}
    view.take({"type": "error", "ref": "another", "code": "too_many_resumes", "detail": "Wait."})
    assert view.missed == set()
    view.take({"type": "error", "ref": "r", "code": "too_many_resumes", "detail": "Wait."})
    assert view.begin_resume("s", MOST) == {ROOM: 10}
