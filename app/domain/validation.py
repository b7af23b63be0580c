"""What any text or time from outside must be: characters that Postgres, JSON and mail headers can carry, and a length.

NUL would be a database error, a lone surrogate an encoding error, each a 500 in a place that is not to blame: so both
are refused here, before anything is stored, whatever the field.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from unicodedata import category, normalize

from app.domain.errors import Invalid

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Unicode's property Bidi_Control: they reverse the text around a name, in a list as in a mail's subject."""

_UNSEEN = frozenset({"Cc", "Cf", "Mn", "Me", "Zl", "Zp", "Zs"})
"""Categories of characters that show nothing by themselves: controls, joiners, blanks, marks on another character."""

_BLANK_LETTERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""The Hangul fillers and the empty Braille pattern: letters and symbols by category, and blank."""


def clean(text: str, field: str, most: int, least: int = 1, *, one_line: bool = False) -> str:
    """`text` as it came, once it is known to be good. Lengths are in characters; blanks alone count as nothing.

    `one_line`: no line breaks or other control characters, for what ends up in a title or a mail's header.

    Raises:
        Invalid: naming `field`.
    """
    if _UNSTORABLE.search(text):
        raise wrong(field, "Contains a character that is not text (NUL or half of a surrogate pair).")
    if one_line and _CONTROL.search(text):
        raise wrong(field, "Contains a line break or another control character.")
    if len(text) > most:
        raise wrong(field, f"Longer than {most:,} characters.")
    if len(text) < least or (least and not text.strip()):
        raise wrong(field, "May not be empty or blank." if least <= 1 else f"Shorter than {least} characters.")
    return text


def clean_name(name: str, field: str, most: int) -> str:
    """A name or a title in Unicode's form C: 1 to `most` characters on one line, at least one of them visible.

    Joiners (ZWJ, ZWNJ) pass inside a name: Persian, Hindi and many emoji are written with them.

    Raises:
        Invalid: naming `field`.
    """
    name = clean(normalize("NFC", name), field, most, one_line=True)
    if _BIDI.search(name):
        raise wrong(field, "Contains a character that changes the direction of the text.")
    if all(category(one) in _UNSEEN or one in _BLANK_LETTERS for one in name):
        raise wrong(field, "Contains no visible character.")
    return name


def clean_search(search: str, most: int, least: int) -> str:
    """What is searched for, in the form in which names are stored. Raises Invalid, naming `search`."""
    return clean(normalize("NFC", search), "search", most, least)


def moment(time: datetime, field: str) -> datetime:
    """`time` in UTC, once it says of which time zone it is. Raises Invalid, naming `field`."""
    if time.tzinfo is None:
        raise wrong(field, "Needs a time zone, as in 2026-05-04T09:00:00Z.")
    try:
        return time.astimezone(UTC)
    except OverflowError as error:
        raise wrong(field, "Lies outside the years 1 to 9999.") from error


def wrong(field: str, message: str) -> Invalid:
    """The error of one field."""
    return Invalid(errors=((field, message),))
