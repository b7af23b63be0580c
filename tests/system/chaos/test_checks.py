"""Each checker proven: a good history passes all of them, and each way to break it turns the right one red."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from tests.system.chaos.checks import judge
from tests.system.chaos.good_history import ADA, AT, GONE, HERE, change, history, member, message, received, rows
from tests.system.chaos.record import Entry, Letter, Record
from tests.system.chaos.truth import Digest, Truth


def test_a_good_history_violates_nothing() -> None:
    assert judge(*history()) == []


Break = Callable[[Record, Truth], Any]
LIVE = 9
"""The place of the fourth message's frame among Linus's entries."""


def entries(record: Record) -> list[Entry]:
    return record.timelines[0].entries


def swap(record: Record, _: Truth) -> None:
    received = entries(record)
    received[LIVE], received[LIVE + 1] = received[LIVE + 1], received[LIVE]


def sent_once(text: str, status: int, more: Break = lambda *_: None) -> Break:
    """A send without a client_id, answered with `status`; then what `more` breaks."""

    def broken(record: Record, truth: Truth) -> None:
        record.settle(record.call("send once", "ada", HERE, text=text), status, {"code": "busy"})
        more(record, truth)

    return broken


def forget_row(_: Record, truth: Truth) -> None:
    del truth.conversations[HERE].rows[3]


def double_row(_: Record, truth: Truth) -> None:
    stored = truth.conversations[HERE].rows
    stored.append(msgspec.structs.replace(stored[3], seq=6, id="m6", position=8, created_position=8))


def gone_back(record: Record, _: Truth) -> None:
    record.settle(record.call("read", "linus", HERE, 1), 200, {"read_seq": 1, "unread": 4})


def delivered_after_removal(record: Record, _: Truth) -> None:
    said = {**message(5), "updated_at": AT.format(40)}
    frame = {"type": "message.updated", "conversation": HERE, "position": 8, "prev": 7, "data": said}
    entries(record).append(received(frame, 150.0))


def delivered_after_deletion(record: Record, _: Truth) -> None:
    said = {"type": "message.created", "conversation": GONE, "position": 8, "prev": 7, "data": message(5)}
    entries(record).insert(1, received(said, 150.0))


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


def end_before(record: Record, began: float, later: int) -> None:
    """Pages of messages end at 3; a read two seconds later reaches `later`."""
    walk = record.walks[0]
    walk.items, walk.reached, walk.later, walk.began = walk.items[:2], 3, later, began


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
    "pages end before what was acknowledged": ("I4", lambda record, _: end_before(record, time.monotonic(), 5)),
    "pages still end early two seconds later": ("I4", lambda record, _: end_before(record, 0.0, 4)),
    "changes go back": ("I4", lambda record, _: record.walks[1].items.reverse()),
    "changes leave one out": ("I4", lambda record, _: record.walks[1].items.pop(2)),
    "changes end early": ("I4", lambda record, _: setattr(record.walks[1], "reached", 6)),
    "a member is met twice": ("I4", lambda record, _: record.walks[2].items.append((0, "ada"))),
    "a member is skipped": ("I4", lambda record, _: record.walks[2].items.pop(0)),
    "something is stored after the removal": ("I7", lambda record, _: setattr(record.removals[0], "after", 4)),
    "the removed can still read": ("I7", lambda record, _: record.removals[0].leaks.append("changes answered 200")),
    "the removed are still told": ("I7", delivered_after_removal),
    "a closed conversation is told of": ("I7", delivered_after_deletion),
    "a closed conversation is found": ("I7", answered_after_deletion),
    "a send without a key is stored twice": ("sent once and is stored 2 times", sent_once("text 4", 0, double_row)),
    "a send without a key is refused and stored": ("answered 503 busy and is stored", sent_once("text 4", 503)),
    "a send without a key is lost": ("'text 9' was acknowledged and is lost", sent_once("text 9", 201)),
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


def test_pages_may_end_for_a_moment_before_what_no_process_has_confirmed() -> None:
    record, truth = history()
    end_before(record, 0.0, 5)
    assert judge(record, truth) == []
