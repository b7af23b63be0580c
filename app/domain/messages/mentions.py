"""Who a text names: `@Ada` or `@Ada Lovelace`. Which members these are is decided as it is stored (`send_messages`)."""

from __future__ import annotations

import re
from typing import Final
from uuid import UUID

SEPARATOR: Final = "|"
"""Between the names of one message (see alembic/sql); no name that is looked up holds one."""

MOST: Final = 20
"""Names looked up for one sender in one batch of sends; more are not people but noise."""

_NAMED = re.compile(r"(?<![\w@.])@([^\s@,;:!?()\[\]{}<>|\"]{1,40})(?: ([^\s@,;:!?()\[\]{}<>|\"]{1,40}))?")


def names_in(text: str) -> list[str]:
    """In lower case, each first name alone and with the word behind it."""
    found: dict[str, None] = {}
    for first, second in _NAMED.findall(text)[:MOST]:
        first = first.rstrip(".'").lower()
        if first:
            found[first] = None
            if second:
                found[f"{first} {second.rstrip(chr(46) + chr(39)).lower()}"] = None
    return list(found)


class Names:
    """The names in the texts of one batch; of one sender at most `MOST`: they are looked up while others wait."""

    def __init__(self) -> None:
        self._left: dict[UUID, int] = {}

    def of(self, sender: UUID, text: str) -> str | None:
        """As `send_messages` wants them, or None."""
        if "@" not in text:
            return None
        left = self._left.get(sender, MOST)
        names = names_in(text)[:left]
        self._left[sender] = left - len(names)
        return SEPARATOR.join(names) or None
