"""The views that sockets built from their frames: in order, without a gap, and in the end equal to a fresh read."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from tests.system.chaos.record import Json, Record, Timeline
from tests.system.chaos.replica import Held, replay
from tests.system.chaos.truth import Conversation, Truth

SILENCE_SECONDS = 10.0


def frames_follow_on_each_other(record: Record, truth: Truth) -> list[str]:
    """I3, I7: no socket gets an event twice, out of order, of a conversation it does not hold, or after revocation."""
    return [f"I3: {timeline.name} was {wrong}" for timeline in record.timelines for wrong in replay(timeline).wrong]


def a_gap_is_repaired(record: Record, truth: Truth) -> list[str]:
    """I5: each gap leads to a `resume`, and each `resume` is answered completely or ends with the socket."""
    found = []
    for timeline in record.timelines:
        replica = replay(timeline)
        found += [f"I5: {timeline.name} missed something in {one}, unrepaired" for one in replica.gaps]
        requested: dict[object, float] = {}
        for entry in timeline.entries:
            if entry.kind == "resume":
                requested[entry.data[0]] = entry.at
            elif entry.kind == "received" and entry.data.startswith(b'{"type":"caught_up"'):
                requested.pop(msgspec.json.decode(entry.data)["ref"], None)
            elif entry.kind in ("opened", "closed"):
                requested.clear()
        last = timeline.entries[-1].at if timeline.entries else 0.0
        found += [
            f"I5: {timeline.name} asked to resume and heard nothing for {last - at:.0f} s"
            for at in requested.values()
            if last - at > SILENCE_SECONDS * record.patience
        ]
    return found


def views_equal_a_fresh_read(record: Record, truth: Truth) -> list[str]:
    """I6, I10: the list at `hello` and all frames since equal a new fetch, except for other users' read marks."""
    return [wrong for timeline in record.timelines for wrong in _differences(timeline, truth)]


def _differences(timeline: Timeline, truth: Truth) -> list[str]:
    replica = replay(timeline)
    found = []
    for conversation, line in truth.lines[timeline.user].items():
        held = replica.held.get(conversation)
        if held is None:
            found.append(f"I6: {timeline.name} does not have {conversation}")
            continue
        one = truth.conversations[conversation]
        if held.position != one.position:
            found.append(f"I6: {timeline.name} stands at {held.position} of {one.position} in {conversation}")
            continue
        found += [f"I10: {timeline.name} {wrong}" for wrong in _unlike(held, line, one)]
    found += [
        f"I6: {timeline.name} still holds {one}"
        for one in replica.held
        if one in truth.conversations and one not in truth.lines[timeline.user]
    ]
    return found


def _unlike(held: Held, line: Json, one: Conversation) -> list[str]:
    messages = {seq: msgspec.json.decode(row) for seq, row in held.messages.items()}
    fresh = {message["seq"]: message for message in one.fetched}
    members = {user: _unread(msgspec.json.decode(row)) for user, row in held.members.items()}
    found = []
    if messages.keys() != fresh.keys():
        found.append(f"has {len(messages)} messages of {len(fresh)}")
    found += [
        f"has message {seq} as {message}, which is {fresh[seq]}"
        for seq, message in messages.items()
        if seq in fresh and _unnamed(message) != _unnamed(fresh[seq])
    ][:3]
    if members != (expected := {user: _unread(member) for user, member in one.members.items()}):
        unlike = sorted(user for user in members.keys() | expected.keys() if members.get(user) != expected.get(user))
        found.append(f"has other members: {[(members.get(user), expected.get(user)) for user in unlike][:2]}")
    facts = msgspec.json.decode(held.facts) if held.facts is not None else held.line
    for field in ("name", "is_private", "creator"):
        if facts[field] != line[field]:
            found.append(f"has {field} {facts[field]!r} for {line[field]!r}")
    latest = max([facts["updated_at"], *(message["sent_at"] for message in messages.values())], key=_moment)
    if _moment(latest) != _moment(line["updated_at"]):
        found.append(f"has updated_at {latest} for {line['updated_at']}")
    for field in ("last_seq", "read_seq"):
        if held.line[field] != line[field]:
            found.append(f"has {field} {held.line[field]} for {line[field]}")
    return found


def _unnamed(message: Json) -> Json:
    """A renamed user is announced as a member; messages delivered before keep the earlier name."""
    return {**message, "sent_by": message["sent_by"]["id"]}


def _unread(member: Json) -> Json:
    return {field: value for field, value in member.items() if field != "read_seq"}


def _moment(text: Any) -> datetime:
    return datetime.fromisoformat(text)
