"""Each checker proven: a good history passes all of them, and each way to break it turns the right one red."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from tests.system.chaos.checks import judge
from tests.system.chaos.record import Deletion, Entry, Json, Letter, Peek, Record, Removal, Stop, Timeline, Walk, Window
from tests.system.chaos.truth import Conversation, Digest, Row, Truth

HERE = "conversation"
GONE = "closed conversation"
ADA = {"id": "ada", "first_name": "Ada", "last_name": "Tester"}
LINUS = {"id": "linus", "first_name": "Linus", "last_name": "Tester"}
AT = "2026-01-01T00:00:{:02}+00:00"
COUNT = 5
"""Messages; they stand at the positions 3 … 7, behind the conversation and its two members."""


def message(seq: int) -> Json:
    return {
        "id": f"m{seq}",
        "conversation": HERE,
        "seq": seq,
        "position": seq + 2,
        "sent_by": ADA,
        "text": f"text {seq}",
        "client_id": f"key {seq}",
        "sent_at": AT.format(seq),
        "updated_at": AT.format(seq),
    }


def member(person: Json) -> Json:
    return {"user": person, "role": "member", "joined_at": AT.format(0), "left_at": None, "read_seq": 0}


def line(read: int, last: int, position: int) -> Json:
    return {
        "id": HERE,
        "name": "Engines",
        "is_private": True,
        "creator": "ada",
        "last_seq": last,
        "read_seq": read,
        "unread": last - read,
        "position": position,
        "updated_at": AT.format(last),
    }


def told(frame: Json, at: float = 0.0) -> Entry:
    return Entry("told", at, msgspec.json.encode(frame))


def change(position: int, kind: str, data: Json, prev: int | None = None) -> Entry:
    prev = position - 1 if prev is None else prev
    return told({"type": kind, "conversation": HERE, "position": position, "prev": prev, "data": data})


def history() -> tuple[Record, Truth]:
    """Linus reads five messages of Ada: two of them catching up, three live."""
    record = Record()
    for seq in range(1, COUNT + 1):
        call = record.call("send", "ada", HERE, f"key {seq}", f"text {seq}")
        record.settle(call, 201, {"id": f"m{seq}", "seq": seq})
    record.settle(record.call("read", "linus", HERE, 2), 200, {"read_seq": 2, "unread": 3})
    record.settle(record.call("read", "linus", HERE, 1), 200, {"read_seq": 2, "unread": 3})
    entries = [
        Entry("opened", 0.0, "one"),
        told({"type": "hello", "conversations": [line(0, 2, 4)], "next": False}),
        Entry("resume", 0.0, (1, {HERE: 0})),
        change(1, "member.added", member(ADA)),
        change(2, "member.added", member(LINUS)),
        *(change(seq + 2, "message.created", message(seq)) for seq in (1, 2)),
        told({"type": "caught_up", "ref": 1, "positions": {HERE: 4}}),
        *(change(seq + 2, "message.created", message(seq)) for seq in (3, 4, 5)),
        told({"type": "read", "conversation": HERE, "user": "linus", "seq": 2}),
    ]
    record.timelines.append(Timeline("linus", "Linus's 1", entries))
    pages = [(seq, f"m{seq}") for seq in (2, 3, 4, 5)]
    record.walks = [
        Walk(kind="messages", conversation=HERE, items=pages, start=1, reached=5, at_least=5),
        Walk(
            kind="changes",
            conversation=HERE,
            items=[(seq + 2, f"m{seq}") for seq in range(1, COUNT + 1)],
            start=2,
            reached=7,
            at_least=7,
        ),
        Walk(kind="members", conversation=HERE, items=[(0, "ada"), (0, "linus")], needed=frozenset({"ada"})),
    ]
    record.peeks = [Peek(node="one", conversation=HERE, page=rows(2, 5), older=rows(2, 4), newer=rows(2, 5))]
    record.stops = [Stop(node="one", seconds=3.0, exit_code=0, closes=[1012])]
    now = time.monotonic()
    record.windows = [Window(fault="Redis down", began=now - 5, healed=now + 5, redis=True, converged=0.1)]
    record.removals = [
        Removal(user="linus", conversation=HERE, gone=100.0, at=AT.format(30), before=3, after=3, back=200.0)
    ]
    record.deletions = [Deletion(conversation=GONE, gone=100.0)]
    record.letters = [Letter("linus@example.org", "mail 1"), Letter("linus@example.org", "mail 2")]
    digests = [Digest("linus", HERE, 0, 2, "mail 1"), Digest("linus", HERE, 2, 5, "mail 2")]
    mails = {"mail 1": "sent", "mail 2": None, "mail 3": "refused"}
    return record, Truth({HERE: conversation()}, {"linus": {HERE: line(2, COUNT, COUNT + 2)}}, mails, digests)


def rows(first: int, last: int) -> dict[int, tuple[int, str]]:
    return {seq: (seq + 2, f"text {seq}") for seq in range(first, last + 1)}


def conversation() -> Conversation:
    stored = [
        Row(seq, f"m{seq}", "ada", f"key {seq}", f"text {seq}", seq + 2, seq + 2, False, AT.format(seq))
        for seq in range(1, COUNT + 1)
    ]
    fetched = [message(seq) for seq in range(1, COUNT + 1)]
    return Conversation(
        id=HERE,
        last_seq=COUNT,
        position=COUNT + 2,
        rows=stored,
        others=[1, 2],
        read={"ada": 5, "linus": 2},
        fetched=fetched,
        members={person["id"]: member(person) for person in (ADA, LINUS)},
        pages={"one": list(fetched)},
    )


def test_a_good_history_violates_nothing() -> None:
    assert judge(*history()) == []


Break = Callable[[Record, Truth], Any]
LIVE = 9
"""The place of the fourth message's frame among Linus's entries."""


def entries(record: Record) -> list[Entry]:
    return record.timelines[0].entries


def swap(record: Record, _: Truth) -> None:
    told = entries(record)
    told[LIVE], told[LIVE + 1] = told[LIVE + 1], told[LIVE]


def forget_row(_: Record, truth: Truth) -> None:
    del truth.conversations[HERE].rows[3]


def double_row(_: Record, truth: Truth) -> None:
    stored = truth.conversations[HERE].rows
    stored.append(msgspec.structs.replace(stored[3], seq=6, id="m6", position=8, created_position=8))


def gone_back(record: Record, _: Truth) -> None:
    record.settle(record.call("read", "linus", HERE, 1), 200, {"read_seq": 1, "unread": 4})


def told_after_removal(record: Record, _: Truth) -> None:
    said = {**message(5), "updated_at": AT.format(40)}
    frame = {"type": "message.updated", "conversation": HERE, "position": 8, "prev": 7, "data": said}
    entries(record).append(told(frame, 150.0))


def told_after_deletion(record: Record, _: Truth) -> None:
    said = {"type": "message.created", "conversation": GONE, "position": 8, "prev": 7, "data": message(5)}
    entries(record).insert(1, told(said, 150.0))


def answered_after_deletion(record: Record, _: Truth) -> None:
    record.settle(record.call("look after", "linus", GONE), 200, {"items": []})


def slow_call(record: Record, _: Truth) -> None:
    call = record.call("edit", "ada", HERE, "m1")
    record.settle(call, 200, None).ended = call.began + 3


def refuse_first(record: Record, _: Truth) -> None:
    call = record.of("send")[0]
    call.outcome, call.status = "failed", 404


def end_early(record: Record, _: Truth) -> None:
    del record.peeks[0].page[5]
    record.peeks[0].older.update(rows(5, 5))


def skip_seq(record: Record, _: Truth) -> None:
    del record.walks[0].items[1]


def repeat_seq(record: Record, _: Truth) -> None:
    record.walks[0].items.insert(1, record.walks[0].items[0])


BREAKS: dict[str, tuple[str, Break]] = {
    "an event is dropped, and nobody asks for it": ("I5", lambda record, _: entries(record).pop(LIVE)),
    "the last event never comes": ("I6", lambda record, _: entries(record).pop(LIVE + 1)),
    "an event is delivered twice": ("I3", lambda record, _: entries(record).insert(LIVE, entries(record)[LIVE])),
    "two events change places": ("I5", swap),
    "a catch-up leaves one out": ("I5", lambda record, _: entries(record).pop(5)),
    "a resume is never answered": ("I5", lambda record, _: entries(record).insert(-1, Entry("resume", -60.0, (2, {})))),
    "an event tells another text": (
        "I10",
        lambda record, _: entries(record).__setitem__(
            LIVE, change(6, "message.created", {**message(4), "text": "another"})
        ),
    ),
    "an event tells another id": (
        "I3",
        lambda record, _: entries(record).__setitem__(LIVE, change(6, "message.created", {**message(4), "id": "x"})),
    ),
    "a member is missing in the view": (
        "I10",
        lambda _, truth: truth.conversations[HERE].members.update(eve=member({**ADA, "id": "eve"})),
    ),
    "the name differs": ("I10", lambda _, truth: truth.lines["linus"][HERE].update(name="Others")),
    "an acknowledged send is missing": ("I1", forget_row),
    "a send that was refused is stored": ("I1", refuse_first),
    "a row is duplicated": ("I2", double_row),
    "a retry is answered with another seq": (
        "I2",
        lambda record, _: record.settle(
            record.call("send", "ada", HERE, "key 4", "text 4"), 200, {"id": "m9", "seq": 9}
        ),
    ),
    "a call fails inside": (
        "5xx",
        lambda record, _: record.settle(record.call("read", "linus", HERE, 2), 500, {"code": "internal"}),
    ),
    "the counter ran ahead": ("I3", lambda _, truth: setattr(truth.conversations[HERE], "last_seq", 6)),
    "a position is used twice": ("I3", lambda _, truth: truth.conversations[HERE].others.append(5)),
    "the history over REST lacks one": ("I3", lambda _, truth: truth.conversations[HERE].fetched.pop(2)),
    "a page skips one": ("I4", skip_seq),
    "a page repeats one": ("I4", repeat_seq),
    "changes go back": ("I4", lambda record, _: record.walks[1].items.reverse()),
    "changes leave one out": ("I4", lambda record, _: record.walks[1].items.pop(2)),
    "changes end early": ("I4", lambda record, _: setattr(record.walks[1], "reached", 6)),
    "a member is met twice": ("I4", lambda record, _: record.walks[2].items.append((0, "ada"))),
    "a member is skipped": ("I4", lambda record, _: record.walks[2].items.pop(0)),
    "something is stored after the removal": ("I7", lambda record, _: setattr(record.removals[0], "after", 4)),
    "the removed can still read": ("I7", lambda record, _: record.removals[0].leaks.append("changes answered 200")),
    "the removed are still told": ("I7", told_after_removal),
    "a closed conversation is told of": ("I7", told_after_deletion),
    "a closed conversation is found": ("I7", answered_after_deletion),
    "a mail is sent twice": ("I9", lambda record, _: record.letters.append(record.letters[0])),
    "a mail was never sent": ("I9", lambda record, _: record.letters.pop(0)),
    "a mail that was refused is sent": ("I9", lambda record, _: record.letters.append(Letter("", "mail 3"))),
    "two mails tell of one message": (
        "I9",
        lambda _, truth: truth.digests.append(Digest("linus", HERE, 4, 6, "mail 4")),
    ),
    "a cursor moves back": ("I8", gone_back),
    "an unread count is off": ("I8", lambda _, truth: truth.lines["linus"][HERE].update(unread=2)),
    "a call waits for Redis": ("I12", slow_call),
    "a probe is refused without Redis": (
        "I12",
        lambda record, _: record.settle(record.call("probe login", "pat", ""), 503, {"code": "away"}),
    ),
    "a stop takes too long": ("I13", lambda record, _: setattr(record.stops[0], "seconds", 21.0)),
    "a socket is not told 1012": ("I13", lambda record, _: record.stops[0].closes.append(1006)),
    "a page is older than 2 s": ("I15", end_early),
    "a page has a deleted text": ("I15", lambda record, _: record.peeks[0].older.update({3: (9, "")})),
    "a page has another text": ("I15", lambda record, _: record.peeks[0].page.update({3: (5, "planted")})),
    "a page in the quiet lies": (
        "I15",
        lambda _, truth: truth.conversations[HERE].pages.update(one=[{**message(5), "text": "planted"}]),
    ),
    "a fault never fired": ("never fired", lambda record, _: record.windows[0].problems.append("it never fired")),
}


@pytest.mark.parametrize("what", BREAKS)
def test_a_checker_sees_that(what: str) -> None:
    promise, broken = BREAKS[what]
    record, truth = history()
    broken(record, truth)
    found = judge(record, truth)
    assert any(promise in one for one in found), f"{what}: {found}"
