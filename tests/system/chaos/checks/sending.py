"""Sends against the database: nothing lost, nothing twice, one order."""

from __future__ import annotations

from collections import Counter, defaultdict

from tests.system.chaos.record import Call, Record
from tests.system.chaos.replica import replay
from tests.system.chaos.truth import Conversation, Row, Truth

DEFINITE = frozenset({400, 401, 403, 404, 409, 422, 429})


def nothing_acknowledged_is_lost(record: Record, truth: Truth) -> list[str]:
    """I1, I16: every send that was answered 2xx or acked is in the history, with the same id, seq and text.

    And what was refused every time it was said is not in it.
    """
    found = []
    rows = _rows(truth)
    touched = {call.key for call in record.calls if call.verb in ("edit", "delete")}
    received: defaultdict[tuple[str, str, str], list[Call]] = defaultdict(list)
    for call in record.of("send"):
        if call.conversation in truth.conversations:
            received[call.conversation, call.user, call.key].append(call)
    for key, calls in received.items():
        row = rows.get(key)
        for call in calls:
            if call.outcome != "ok" or call.answer is None:
                continue
            if row is None:
                found.append(f"I1: {call.key} was acknowledged as {call.answer['seq']} and is lost")
            elif (row.id, row.seq) != (call.answer["id"], call.answer["seq"]):
                found.append(f"I1: {call.key} was acknowledged as {call.answer['seq']} and is {row.seq}")
            elif row.text != call.text and row.id not in touched:
                found.append(f"I1: {call.key} was said as {call.text!r} and is {row.text!r}")
        if row is not None and all(call.outcome == "failed" and call.status in DEFINITE for call in calls):
            found.append(f"I1: {key[2]} was refused and is stored")
    return found


def a_retry_is_no_duplicate(record: Record, truth: Truth) -> list[str]:
    """I2: one row for each (conversation, sender, client_id), and every answer to it says the same id and seq."""
    count = Counter(
        (one.id, row.sender, row.client_id) for one in truth.conversations.values() for row in one.rows if row.client_id
    )
    found = [f"I2: {key[2]} is stored {times} times" for key, times in count.items() if times > 1]
    answers: defaultdict[tuple[str, str, str], set[tuple[str, int]]] = defaultdict(set)
    for call in record.of("send"):
        if call.outcome == "ok" and call.answer is not None:
            answers[call.conversation, call.user, call.key].add((call.answer["id"], call.answer["seq"]))
    return found + [f"I2: {key[2]} was answered as {said}" for key, said in answers.items() if len(said) > 1]


def said_once_is_stored_once(record: Record, truth: Truth) -> list[str]:
    """I1, I2, without a `client_id`: none is stored twice, none acknowledged is lost, and none refused is stored."""
    found = []
    stored = Counter((one.id, row.text) for one in truth.conversations.values() for row in one.rows)
    for call in record.of("send once"):
        times = stored[call.conversation, call.text]
        if times > 1:
            found.append(f"I2: {call.text!r} was sent once and is stored {times} times")
        if call.outcome == "ok" and not times:
            found.append(f"I1: {call.text!r} was acknowledged and is lost")
        if call.outcome == "failed" and times:
            found.append(f"I1: {call.text!r} was answered {call.status} {call.code} and is stored")
    return found


def there_is_one_order(record: Record, truth: Truth) -> list[str]:
    """I3: `last_seq` = count = max(seq); no position is used twice; pages, changes and every socket number alike."""
    found = [wrong for one in truth.conversations.values() for wrong in _disorder(one)]
    ids = {(one.id, row.seq): row.id for one in truth.conversations.values() for row in one.rows}
    for walk in record.walks:
        if walk.kind == "messages":
            found += [
                f"I3: a page called message {seq} another one"
                for seq, message in walk.items
                if ids.get((walk.conversation, seq)) != message
            ]
    steps: dict[tuple[str, int], str] = {}
    for timeline in record.timelines:
        replica = replay(timeline)
        found += [
            f"I3: {timeline.name} knows message {seq} as another one"
            for (conversation, seq), message in replica.ids.items()
            if conversation in truth.conversations and ids.get((conversation, seq)) != message
        ]
        for at, name in replica.steps.items():
            if steps.setdefault(at, name) != name:
                found.append(f"I3: position {at[1]} was {name} to {timeline.name}, and {steps[at]} to another")
    return found


def nothing_fails_inside(record: Record, truth: Truth) -> list[str]:
    """Whatever fails, no request is answered 500: what cannot be done now is refused with 503 and a reason."""
    return [
        f"5xx: a {call.verb} was answered {call.status} {call.code}"
        for call in record.calls
        if call.status == 500 or call.code == "internal"
    ]


def _disorder(one: Conversation) -> list[str]:
    found = []
    seqs = [row.seq for row in one.rows]  # in the order of created_position
    if not one.last_seq == len(seqs) == max(seqs, default=0):
        found.append(f"I3: last_seq {one.last_seq}, {len(seqs)} rows, the last {max(seqs, default=0)}")
    if seqs != sorted(seqs):
        found.append("I3: seq and position disagree about the order of commits")
    held = Counter([*(row.position for row in one.rows), *one.others])
    found += [f"I3: {times} rows stand at position {at}" for at, times in held.items() if times > 1]
    if max(held) != one.position:
        found.append(f"I3: the conversation stands at {one.position}, its newest row at {max(held)}")
    fetched = [(message["seq"], message["id"], message["position"]) for message in one.fetched]
    stored = [(row.seq, row.id, row.position) for row in sorted(one.rows, key=lambda row: row.seq)]
    if fetched != stored:
        found.append("I3: the history over REST is not the database's")
    return found


def _rows(truth: Truth) -> dict[tuple[str, str, str], Row]:
    return {
        (one.id, row.sender, row.client_id): row
        for one in truth.conversations.values()
        for row in one.rows
        if row.client_id is not None
    }
