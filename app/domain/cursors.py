"""Opaque cursors: where a page ended, as base64 of JSON. They carry a key to go on from, never an offset.

Nothing is secret in them and nothing is granted by them: every page asks at the door again. One that was tampered
with, or comes from another list, is refused.
"""

from __future__ import annotations

import base64
import binascii
from typing import TypeVar

import msgspec

from app.domain.errors import Invalid

MAX_CURSOR_LENGTH = 512

Position = TypeVar("Position", bound=msgspec.Struct)

_encode = msgspec.json.Encoder().encode


def to_cursor(position: msgspec.Struct) -> str:
    """The cursor that leads back to `position`; tag its class, so that cursors of other lists do not decode."""
    return base64.urlsafe_b64encode(_encode(position)).rstrip(b"=").decode()


def from_cursor(cursor: str | None, kind: type[Position]) -> Position | None:
    """The position a cursor of this list holds, or None for the first page.

    Raises:
        Invalid: `cursor` was not given out by this list.
    """
    if cursor is None:
        return None
    try:
        if len(cursor) > MAX_CURSOR_LENGTH:
            raise ValueError(cursor[:MAX_CURSOR_LENGTH])
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        return msgspec.json.decode(base64.b64decode(padded, altchars=b"-_", validate=True), type=kind)
    except (ValueError, binascii.Error, msgspec.MsgspecError) as error:
        raise Invalid(
            "invalid_cursor",
            "This cursor does not belong to this list.",
            errors=(("cursor", "Use the value of `next` as it was given."),),
        ) from error
