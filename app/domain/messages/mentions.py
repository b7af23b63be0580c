"""Who a text names: `@Ada` or `@Ada Lovelace`. Which members these are is decided as it is stored (`send_messages`)."""

from __future__ import annotations

import re
from typing import Final

SEPARATOR: Final = "|"
"""Between the names of one message (see alembic/sql); no name that is looked up holds one."""

MOST: Final = 20
"""Names looked up for one message; more are not people but noise."""

_NAMED = re.compile(r"(?<![\w@.])@([^\s@,;:!?()\[\]{}<>|\"]{1,100})(?: ([^\s@,;:!?()\[\]{}<>|\"]{1,100}))?")


def names_in(text: str) -> list[str]:
    """In lower case, each first name alone and with the word behind it; at most 40."""
    found: dict[str, None] = {}
    for first, second in _NAMED.findall(text)[:MOST]:
        first = first.rstrip(".'").lower()
        if first:
            found[first] = None
            if second:
                found[f"{first} {second.rstrip(chr(46) + chr(39)).lower()}"] = None
    return list(found)


def named(text: str) -> str | None:
    """The same as `send_messages` wants them, or None."""
    return SEPARATOR.join(names_in(text)) or None if "@" in text else None
