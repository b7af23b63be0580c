"""Finds the names that a text mentions: `@Ada` or `@Ada Lovelace`. `send_messages` resolves them to members."""

from __future__ import annotations

import re
from typing import Final
from unicodedata import category, normalize
from uuid import UUID

SEPARATOR: Final = "|"
"""Separates the names of one message (see alembic/sql). No name that is looked up contains it."""

MAX_MENTIONS: Final = 20
"""Names looked up for one sender in one batch of sends. Further names are noise rather than users."""

_NAMED = re.compile(r"(?<![\w@.])@([^\s@,;:!?()\[\]{}<>|\"]{1,40})(?: ([^\s@,;:!?()\[\]{}<>|\"]{1,40}))?")

_INSIDE: Final = frozenset("\u2019\u2010\u2011\u00b7\u30fb")
"""Non-ASCII punctuation inside names: D’Arcy, Anne‐Marie, Gal·la, ジャン・ポール. Any other ends a name."""

_AROUND: Final = ".'\u2019"
"""Characters that may occur inside a name, but belong to the sentence at the end of one."""


def names_in(text: str) -> list[str]:
    """Returns each first name alone and with the word after it, in lower case and Unicode form NFC."""
    found: dict[str, None] = {}
    for first, second in _NAMED.findall(normalize("NFC", text))[:MAX_MENTIONS]:
        name = _name(first)
        if not name:
            continue
        found[name] = None
        # Punctuation after the first name separates it from the next word.
        if second and len(name) == len(first) and (further := _name(second)):
            found[f"{name} {further}"] = None
    return list(found)


def _name(word: str) -> str:
    ends = (
        index
        for index, character in enumerate(word)
        if not character.isascii() and category(character)[0] == "P" and character not in _INSIDE
    )
    return word[: next(ends, len(word))].rstrip(_AROUND).lower()


class Names:
    """The names in one batch, at most `MAX_MENTIONS` per sender: other sends wait while they are looked up."""

    def __init__(self) -> None:
        self._left: dict[UUID, int] = {}

    def lookup(self, sender: UUID, text: str) -> str | None:
        """Returns the names in the format of `send_messages`, or None if there are none."""
        if "@" not in text:
            return None
        remaining = self._left.get(sender, MAX_MENTIONS)
        names = names_in(text)[:remaining]
        self._left[sender] = remaining - len(names)
        return SEPARATOR.join(names) or None
