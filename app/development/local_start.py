"""What `chat up` passes to its processes if it runs development on embedded servers."""

from __future__ import annotations

from typing import Final

import msgspec

from app.domain.welcome.first_link import FirstLink

VARIABLE: Final = "CHAT_LOCAL_START"


class LocalStart(msgspec.Struct, frozen=True):
    """`first_link`: of the link that was printed, if one was."""

    first_link: FirstLink | None = None


def encoded(start: LocalStart | None) -> dict[str, str]:
    """Returns the variable that a child process reads. Empty for None: a child never inherits one of another chat."""
    return {VARIABLE: "" if start is None else msgspec.json.encode(start).decode()}


def decoded(value: str) -> LocalStart | None:
    return msgspec.json.decode(value, type=LocalStart) if value else None
