"""A frame on its way out, built once: the same bytes are written to every socket that gets it."""

from __future__ import annotations

import struct
from typing import Any, Literal
from uuid import UUID

import msgspec

Loss = Literal["never", "merged", "dropped"]
"""What a full queue may do to it: nothing, replace it by a newer one of its key, or leave it out."""

FINAL_TEXT = 0x81
SHORT, MEDIUM = 125, 65_535

encode_json = msgspec.json.Encoder().encode


class Frame:
    """`wire` is the whole WebSocket frame (RFC 6455, section 5.2): what a server sends is not masked, so all share it.

    `key` says which frames replace each other.
    """

    __slots__ = ("key", "loss", "size", "wire")

    def __init__(self, data: bytes, loss: Loss = "never", key: tuple[UUID, UUID] | None = None) -> None:
        self.wire = _header(len(data)) + data
        self.size = len(self.wire)
        self.loss = loss
        self.key = key


def frame_of(type: str, **fields: Any) -> Frame:  # noqa: A002 - the field's name on the wire
    """A frame of `type` with these fields, in this order."""
    return Frame(encode_json({"type": type, **fields}))


def payload_of(wire: bytes) -> bytes:
    """What a frame of ours carries, for servers that frame it themselves."""
    size = len(wire)
    return wire[2 if size <= SHORT + 2 else 4 if size <= MEDIUM + 4 else 10 :]


def _header(length: int) -> bytes:
    if length <= SHORT:
        return struct.pack("!BB", FINAL_TEXT, length)
    if length <= MEDIUM:
        return struct.pack("!BBH", FINAL_TEXT, 126, length)
    return struct.pack("!BBQ", FINAL_TEXT, 127, length)


class _Person(msgspec.Struct):
    id: UUID


class _Sent(msgspec.Struct):
    sent_by: _Person


_decode_sent = msgspec.json.Decoder(_Sent).decode


def sender_of(message: bytes) -> UUID:
    """Who sent the message of this JSON."""
    return _decode_sent(message).sent_by.id
