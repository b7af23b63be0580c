"""Who a text names: `@Ada` or `@Ada Lovelace`. Which members these are is decided as it is stored (`send_messages`)."""

from __future__ import annotations

import re
from typing import Final
from unicodedata import category, normalize
from uuid import UUID

SEPARATOR: Final = "|"
"""Between the names of one message (see alembic/sql); no name that is looked up holds one."""

MAX_MENTIONS: Final = 20
"""Names looked up for one sender in one batch of sends; more are not people but noise."""

_NAMED = re.compile(r"(?<![\w@.])@([^\s@,;:!?()\[\]{}<>|\"]{1,40})(?: ([^\s@,;:!?()\[\]{}<>|\"]{1,40}))?")

_INSIDE: Final = frozenset("\u2019\u2010\u2011\u00b7\u30fb")
"""Punctuation beyond ASCII that stands inside names: D’Arcy, Anne‐Marie, Gal·la, ジャン・ポール. All other ends one."""

_AROUND: Final = ".'\u2019"
"""What may stand inside a name, but behind one belongs to the sentence."""


def names_in(text: str) -> list[str]:
    """In lower case and Unicode's form C, each first name alone and with the word behind it."""
    found: dict[str, None] = {}
    for first, second in _NAMED.findall(normalize("NFC", text))[:MAX_MENTIONS]:
        name = _name(first)
        if not name:
            continue
        found[name] = None
        # Punctuation behind the first name parts it from the next word.
        if second and len(name) == len(first) and (further := _name(second)):
            found[f"{name} {further}"] = None
    return list(found)


def _name(word: str) -> str:
    ends = (at for at, one in enumerate(word) if not one.isascii() and category(one)[0] == "P" and one not in _INSIDE)
    return word[: next(ends, len(word))].rstrip(_AROUND).lower()


class Names:
    """The names in the texts of one batch; of one sender at most `MOST`: they are looked up while others wait."""

    def __init__(self) -> None:
        self._left: dict[UUID, int] = {}

    def of(self, sender: UUID, text: str) -> str | None:
        """As `send_messages` wants them, or None."""
        if "@" not in text:
            return None
        left = self._left.get(sender, MAX_MENTIONS)
        names = names_in(text)[:left]
        self._left[sender] = left - len(names)
        return SEPARATOR.join(names) or None
