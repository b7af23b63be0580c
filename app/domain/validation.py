"""Validates text and times from outside: characters that Postgres, JSON and mail headers can carry, and a length.

NUL would cause a database error and a lone surrogate an encoding error, each a 500 far from its cause: both are refused
here, in every field, before anything is stored.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final
from unicodedata import category, normalize

from app.domain.error_catalogue import invalid
from app.domain.errors import Invalid

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Unicode's property Bidi_Control: these reverse the text around a name, in lists and in mail subjects."""

_UNSEEN = frozenset({"Cc", "Cf", "Mn", "Me", "Zl", "Zp", "Zs"})
"""Categories of characters that are invisible on their own: controls, joiners, blanks, combining marks."""

_BLANK_LETTERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""The Hangul fillers and the empty Braille pattern: letters and symbols by category, but blank."""


Rule = Callable[[Any, str], object]
"""Checks (value, field). Raises Invalid, naming `field`."""

RULE: Final = "rule"
"""Key of a `Rule` in a field type's `msgspec.Meta.extra`. If the parser finds a fault in a body, the rules of its other
fields are checked too, so that all faults are reported at once."""


class Faults:
    """Collects the faults of several fields: `with faults:` around each check, then `faults.raise_all()`."""

    def __init__(self) -> None:
        self._found: list[Invalid] = []

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> bool:
        if not isinstance(error, Invalid):
            return False
        self._found.append(error)
        return True

    def raise_all(self) -> None:
        """Raises the first error, which then names the fields of all. Its code stays: it is the code that a caller saw
        before all were collected."""
        if self._found:
            first = self._found[0]
            first.errors = tuple(fault for error in self._found for fault in error.errors)
            raise first


def clean(text: str, field: str, most: int, least: int = 1, *, one_line: bool = False) -> str:
    """Returns `text` unchanged if it is valid. Lengths are in characters; text of blanks only counts as empty.

    `one_line`: no line breaks or other control characters, for titles and mail headers.

    Raises:
        Invalid: naming `field`.
    """
    if _UNSTORABLE.search(text):
        raise field_error(field, "Must not contain NUL or half of a surrogate pair.")
    if one_line and _CONTROL.search(text):
        raise field_error(field, "Must not contain a line break or another control character.")
    if len(text) > most:
        raise field_error(field, f"Must have at most {most:,} characters.")
    if len(text) < least or (least and not text.strip()):
        raise field_error(
            field, "Must not be empty or blank." if least <= 1 else f"Must have at least {least} characters."
        )
    return text


def clean_name(name: str, field: str, most: int) -> str:
    """Returns a name or title in Unicode's form C: 1 to `most` characters on one line, at least one of them visible.

    Joiners (ZWJ, ZWNJ) are allowed in a name: Persian, Hindi and many emoji need them.

    Raises:
        Invalid: naming `field`.
    """
    name = clean(normalize("NFC", name), field, most, one_line=True)
    if _BIDI.search(name):
        raise field_error(field, "Must not contain a character that changes the direction of the text.")
    if all(category(character) in _UNSEEN or character in _BLANK_LETTERS for character in name):
        raise field_error(field, "Must contain a visible character.")
    return name


def clean_search(search: str, most: int, least: int) -> str:
    """Returns a search term in the form in which names are stored. Raises Invalid, naming `search`."""
    return clean(normalize("NFC", search), "search", most, least)


def to_utc(time: datetime, field: str) -> datetime:
    """Converts `time` to UTC; it must have a time zone. Raises Invalid, naming `field`."""
    if time.tzinfo is None:
        raise field_error(field, "Must have a time zone, as in 2026-05-04T09:00:00Z.")
    try:
        return time.astimezone(UTC)
    except OverflowError as error:
        raise field_error(field, "Must be in the years 1 to 9999.") from error


def field_error(field: str, message: str) -> Invalid:
    """Returns the error of a single field."""
    return invalid((field, message))
