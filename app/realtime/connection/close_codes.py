"""The server's close codes, and the word that a close frame carries as its reason. docs/realtime.md describes how a
client reacts to each code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

TOO_LARGE: Final = 1009
RESTARTING: Final = 1012
MALFORMED: Final = 4400
NOT_AUTHENTICATED: Final = 4401
REFUSED: Final = 4403
TOO_SLOW: Final = 4408
TOO_MANY: Final = 4429

FOREIGN_ORIGIN: Final = "foreign_origin"
UNKNOWN_HOST: Final = "unknown_host"

REASONS: Final[Mapping[int, tuple[str, ...]]] = {
    TOO_LARGE: ("too_large",),
    RESTARTING: ("restarting",),
    MALFORMED: ("malformed",),
    NOT_AUTHENTICATED: ("not_authenticated",),
    REFUSED: ("suspended", FOREIGN_ORIGIN, UNKNOWN_HOST),
    TOO_SLOW: ("too_slow",),
    TOO_MANY: ("too_many",),
}
"""By code; the first stands in a close frame for which no other is given."""


def reason_of(code: int) -> str:
    """Returns the usual reason of a code; empty for a code of the WebSocket protocol itself."""
    return REASONS.get(code, ("",))[0]
