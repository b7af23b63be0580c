"""How long messages took from the send to their delivery, over a whole run."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from tests.system.chaos.record import Record, Timeline

CREATED = b'{"type":"message.created"'


class _Said(msgspec.Struct):
    client_id: str | None = None


class _Created(msgspec.Struct):
    data: _Said


_decode = msgspec.json.Decoder(_Created).decode


def deliveries(record: Record) -> list[tuple[float, float]]:
    """Returns (time of the first delivery, seconds since the first send) of every message and socket, in order of time.

    What a socket missed counts from when it was said, however long the socket was away. Left out is what was said
    before a reader was there at all, and every user who is removed and comes back: no delivery to them was due.
    """
    said: dict[str, float] = {}
    for call in record.of("send"):
        said.setdefault(call.key, call.began)
    movers = {removal.user for removal in record.removals}
    found: list[tuple[float, float]] = []
    for timeline in record.timelines:
        if timeline.user not in movers and timeline.entries:
            found += _first_deliveries(timeline, said)
    return sorted(found)


def _first_deliveries(timeline: Timeline, said: dict[str, float]) -> Iterator[tuple[float, float]]:
    known: set[str] = set()
    there = timeline.entries[0].at
    for entry in timeline.entries:
        if entry.kind != "received" or not entry.data.startswith(CREATED):
            continue
        key = _decode(entry.data).data.client_id or ""
        if key not in known and said.get(key, 0.0) > there:
            known.add(key)
            yield entry.at, entry.at - said[key]
