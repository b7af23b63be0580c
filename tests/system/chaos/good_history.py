"""A small history in which every promise holds: tests break it, one way at a time."""

from __future__ import annotations

import time

import msgspec

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


def received(frame: Json, at: float = 0.0) -> Entry:
    return Entry("received", at, msgspec.json.encode(frame))


def change(position: int, kind: str, data: Json, prev: int | None = None) -> Entry:
    prev = position - 1 if prev is None else prev
    return received({"type": kind, "conversation": HERE, "position": position, "prev": prev, "data": data})


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
        received({"type": "hello", "conversations": [line(0, 2, 4)], "next": False}),
        Entry("resume", 0.0, (1, {HERE: 0})),
        change(1, "member.added", member(ADA)),
        change(2, "member.added", member(LINUS)),
        *(change(seq + 2, "message.created", message(seq)) for seq in (1, 2)),
        received({"type": "caught_up", "ref": 1, "positions": {HERE: 4}}),
        *(change(seq + 2, "message.created", message(seq)) for seq in (3, 4, 5)),
        received({"type": "read", "conversation": HERE, "user": "linus", "seq": 2}),
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
