"""A frame on its way out, built once and shared by every socket that gets it."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

import msgspec

Loss = Literal["never", "merged", "dropped"]
"""What a full queue may do to it: nothing, replace it by a newer one of its key, or leave it out."""

encode_json = msgspec.json.Encoder().encode


class Frame:
    """`message` is the ASGI event; `size` is in bytes; `key` says which frames replace each other."""

    __slots__ = ("key", "loss", "message", "size")

    def __init__(self, data: bytes, loss: Loss = "never", key: tuple[UUID, UUID] | None = None) -> None:
        self.message: dict[str, Any] = {"type": "websocket.send", "text": data.decode()}
        self.size = len(data)
        self.loss = loss
        self.key = key


def frame_of(type: str, **fields: Any) -> Frame:  # noqa: A002 - the field's name on the wire
    """A frame of `type` with these fields, in this order."""
    return Frame(encode_json({"type": type, **fields}))


class _Person(msgspec.Struct):
    id: UUID


class _Sent(msgspec.Struct):
    sent_by: _Person


_decode_sent = msgspec.json.Decoder(_Sent).decode


def sender_of(message: bytes) -> UUID:
    """Who sent the message of this JSON."""
    return _decode_sent(message).sent_by.id
