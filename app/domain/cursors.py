"""Opaque cursors: where a page ended, as base64 of JSON. They hold a key to continue from, never an offset.

They contain no secret and grant nothing: every page checks access again. A cursor that was altered or belongs to
another list is refused.
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
    """Encodes `position` as a cursor. Tag its class, so that cursors of other lists do not decode."""
    return base64.urlsafe_b64encode(_encode(position)).rstrip(b"=").decode()


def from_cursor(cursor: str | None, kind: type[Position]) -> Position | None:
    """Decodes the position in a cursor of this list, or returns None for the first page.

    Raises:
        Invalid: `cursor` was not issued by this list.
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
