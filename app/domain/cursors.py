"""Opaque cursors: where a page ended, as base64 of JSON. They hold a key to continue from, never an offset.

They contain no secret and grant nothing: every page checks access again. A cursor that was altered or belongs to
another list is refused.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar, cast
from uuid import UUID

import msgspec

from app.domain.error_catalogue import invalid_cursor

MAX_CURSOR_LENGTH = 512

Row = TypeVar("Row")
Key = TypeVar("Key", bound=msgspec.Struct)

_encode = msgspec.json.Encoder().encode


class IdKey(msgspec.Struct, frozen=True):
    """The key of a list in the order of its rows' ids."""

    id: UUID


class UserKey(msgspec.Struct, frozen=True):
    """The key of a list in the order of users' ids."""

    user: UUID


class Keyset(Generic[Key]):
    """The cursors of one list, which is ordered by `key`. The `tag` keeps cursors of other lists from decoding."""

    def __init__(self, tag: str, key: type[Key]) -> None:
        self._tagged = cast("type[Key]", msgspec.defstruct(key.__name__, [], bases=(key,), tag=tag, frozen=True))
        self._decode = msgspec.json.Decoder(self._tagged).decode

    def key(self, cursor: str | None) -> Key | None:
        """Decodes the key in a cursor of this list, or returns None for the first page.

        Raises:
            Invalid: `cursor` was not issued by this list.
        """
        if cursor is None:
            return None
        try:
            if len(cursor) > MAX_CURSOR_LENGTH:
                raise ValueError(cursor[:MAX_CURSOR_LENGTH])
            padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
            return self._decode(base64.b64decode(padded, altchars=b"-_", validate=True))
        except (ValueError, binascii.Error, msgspec.MsgspecError) as error:
            raise invalid_cursor() from error

    def page(self, rows: Sequence[Row], limit: int, key: Callable[[Row], Key]) -> tuple[Sequence[Row], str | None]:
        """Returns the first `limit` rows, and the cursor of the page after them, or None if there is none. Callers
        read one row more than `limit`, which shows whether another page follows."""
        if len(rows) <= limit:
            return rows, None
        return rows[:limit], self._cursor(key(rows[limit - 1]))

    def _cursor(self, key: Key) -> str:
        tagged = self._tagged(*msgspec.structs.astuple(key))
        return base64.urlsafe_b64encode(_encode(tagged)).rstrip(b"=").decode()
