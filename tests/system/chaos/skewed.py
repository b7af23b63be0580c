"""`python -m tests.system.chaos.skewed SECONDS api …`: `chat api …` on a machine whose clock is so many seconds ahead.

Set before any module of the application is loaded: it takes the time from `time.time`, a few `datetime.now`, and the
moment in an id. Postgres's clock stays right, and so does the monotonic one.
"""

from __future__ import annotations

import datetime as dt
import sys
import time
from importlib import import_module
from typing import Any, Final
from uuid import UUID

import uuid_utils.compat

TOLD_BY_DATETIME: Final = ("jwt.api_jwt", "app.domain.auth.socket_tickets")
"""Modules that call `datetime.now`. Nothing else of it is replaced: types of wire and rows must stay what they are."""


def set_ahead(seconds: float) -> None:
    """All that this process believes of the time is so far ahead, from now on."""
    right, new_id = time.time, uuid_utils.compat.uuid7

    class Ahead(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> Any:
            return dt.datetime.fromtimestamp(right() + seconds, tz)

    def later_id(*, nanoseconds: int | None = None) -> UUID:
        return new_id(nanoseconds=nanoseconds or int((right() + seconds) * 1e9))

    time.time = lambda: right() + seconds
    uuid_utils.compat.uuid7 = later_id
    for name in TOLD_BY_DATETIME:
        vars(import_module(name))["datetime"] = Ahead


if __name__ == "__main__":
    set_ahead(float(sys.argv[1]))
    sys.exit(import_module("app.cli").main(sys.argv[2:]))
