"""Encodes the frames that a server sends. A frame is built once, and every recipient's socket gets the same bytes."""

from __future__ import annotations

import struct
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec

from app.domain.events import LogChange
from app.domain.notifications.schemas import Notification
from app.realtime.frames.change_frames import CHANGE_FRAMES
from app.realtime.frames.server_frames import NotificationFrame

Loss = Literal["never", "merged", "dropped"]
"""What a filling queue does with a frame: keep it, replace it by a newer one with the same key, or drop it."""

FINAL_TEXT = 0x81
SHORT, MEDIUM = 125, 65_535

encode_json = msgspec.json.Encoder().encode


class Frame:
    """`wire` holds whole WebSocket frames (RFC 6455, section 5.2). Server frames are unmasked, so all sockets share it.

    Several payloads become several frames, written together. Frames with the same `key` replace each other.
    """

    __slots__ = ("count", "key", "loss", "size", "wire")

    def __init__(self, *payloads: bytes, loss: Loss = "never", key: tuple[UUID, UUID] | None = None) -> None:
        self.wire = b"".join([part for data in payloads for part in (_header(len(data)), data)])
        self.size = len(self.wire)
        self.count = len(payloads)
        self.loss = loss
        self.key = key


def frame_of(*frames: msgspec.Struct, loss: Loss = "never", key: tuple[UUID, UUID] | None = None) -> Frame:
    """Encodes server frames: `type` first, then the fields in the order declared."""
    return Frame(*map(encode_json, frames), loss=loss, key=key)


def change_frame(change: LogChange) -> msgspec.Struct:
    """Returns the server frame of a log change."""
    declared = CHANGE_FRAMES[change.type]
    frame: msgspec.Struct = declared(
        conversation=change.conversation, position=change.position, prev=change.prev, data=raw(change.data)
    )
    return frame


def notification_frame(notification: Notification) -> NotificationFrame:
    return NotificationFrame(**msgspec.structs.asdict(notification))


def raw(json: bytes) -> Any:
    """Returns JSON as the value of any field; it is copied into the frame."""
    return msgspec.Raw(json)


def payloads_of(wire: bytes) -> list[bytes]:
    """Returns the payloads of `Frame.wire`, for servers that do the framing themselves."""
    found, offset = [], 0
    while offset < len(wire):
        length, offset = wire[offset + 1], offset + 2
        if length > SHORT:
            width = 2 if length == SHORT + 1 else 8
            length, offset = int.from_bytes(wire[offset : offset + width], "big"), offset + width
        found.append(wire[offset : offset + length])
        offset += length
    return found


def _header(length: int) -> bytes:
    if length <= SHORT:
        return struct.pack("!BB", FINAL_TEXT, length)
    if length <= MEDIUM:
        return struct.pack("!BBH", FINAL_TEXT, 126, length)
    return struct.pack("!BBQ", FINAL_TEXT, 127, length)


class _Sender(msgspec.Struct):
    id: UUID


class _SentMessage(msgspec.Struct):
    sent_by: _Sender


class _Timed(msgspec.Struct):
    sent_at: datetime


_decode_message = msgspec.json.Decoder(_SentMessage).decode
_decode_timed = msgspec.json.Decoder(_Timed).decode


def sender_of(message: bytes) -> UUID:
    """Returns the sender of a message given as JSON."""
    return _decode_message(message).sent_by.id


def sent_at_of(message: bytes) -> datetime:
    """Returns when a message given as JSON was written, by Postgres's clock."""
    return _decode_timed(message).sent_at
