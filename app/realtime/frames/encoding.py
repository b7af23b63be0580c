"""A frame on its way out, built once: the same bytes are written to every socket that gets it."""

from __future__ import annotations

import struct
from typing import Literal
from uuid import UUID

import msgspec

Loss = Literal["never", "merged", "dropped"]
"""What a full queue may do to it: nothing, replace it by a newer one of its key, or leave it out."""

FINAL_TEXT = 0x81
SHORT, MEDIUM = 125, 65_535

encode_json = msgspec.json.Encoder().encode


class Frame:
    """`wire` are whole WebSocket frames (RFC 6455, section 5.2): what a server sends is not masked, so all share it.

    Several payloads are several frames that leave together. `key` says which frames replace each other.
    """

    __slots__ = ("key", "loss", "size", "wire")

    def __init__(self, *payloads: bytes, loss: Loss = "never", key: tuple[UUID, UUID] | None = None) -> None:
        self.wire = b"".join([part for data in payloads for part in (_header(len(data)), data)])
        self.size = len(self.wire)
        self.loss = loss
        self.key = key


def frame_of(told: msgspec.Struct) -> Frame:
    """A frame of the vocabulary, its type first and then its fields in the order declared."""
    return Frame(encode_json(told))


def payloads_of(wire: bytes) -> list[bytes]:
    """What frames of ours carry, for servers that frame it themselves."""
    found, at = [], 0
    while at < len(wire):
        length, at = wire[at + 1], at + 2
        if length > SHORT:
            width = 2 if length == SHORT + 1 else 8
            length, at = int.from_bytes(wire[at : at + width], "big"), at + width
        found.append(wire[at : at + length])
        at += length
    return found


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
