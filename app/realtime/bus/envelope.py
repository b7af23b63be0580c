"""The format of events between processes: eight bytes of origin, then a msgpack array of events, encoded once.

The origin lets a process drop its own echo without decoding it: it delivered those events before publishing.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from app.realtime.bus.ephemeral_events import Event

ORIGIN_BYTES = 8

_encoder = msgspec.msgpack.Encoder(uuid_format="bytes")
_decoder = msgspec.msgpack.Decoder(list[Event])


def encode_envelope(origin: bytes, events: Sequence[Event]) -> bytes:
    """Returns the payload of one publish."""
    return origin + _encoder.encode(events)


def decode_foreign_envelope(origin: bytes, payload: bytes) -> list[Event]:
    """Returns the events of a payload, none if it came from `origin` itself.

    Raises:
        msgspec.DecodeError: the payload is not an envelope, or is of another version.
    """
    if payload[:ORIGIN_BYTES] == origin:
        return []
    return _decoder.decode(memoryview(payload)[ORIGIN_BYTES:])
