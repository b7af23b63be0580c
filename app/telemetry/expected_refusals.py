"""Refusals that are part of the day: a wrong password, a bad body, a client that hung up, a dependency that is away.

They are answers, not faults. Strangers can cause as many as they like, so they are no traceback in the log and no event
in Sentry, where they would hide what is broken. Recognised by what they are, wherever they arise.
"""

from __future__ import annotations

import sys
from collections.abc import MutableMapping
from typing import Any, Final

from app.domain.errors import ChatError

HUNG_UP: Final = frozenset({"ClientDisconnect", "ClientDisconnected", "WebSocketDisconnect"})
"""By name: a worker imports neither Litestar nor uvicorn."""


def is_expected(error: BaseException | None) -> bool:
    """Whether this is a refusal, and no fault of the program. A group is one when all in it are."""
    if isinstance(error, BaseExceptionGroup):
        return all(is_expected(one) for one in error.exceptions)
    if isinstance(error, ChatError) or type(error).__name__ in HUNG_UP:
        return True
    # Litestar's HTTPException and what derives from it; others with such a field are answers just as well.
    status = getattr(error, "status_code", None)
    return isinstance(status, int) and 400 <= status < 500


def is_clients_fault(error: BaseException | None) -> bool:
    """The same for what leaves a request: a body that is not UTF-8, or nested too deeply, is 400 as well."""
    deep = isinstance(error, RecursionError) and "deserializing" in str(error)
    return is_expected(error) or deep or isinstance(error, UnicodeDecodeError)


def without_tracebacks(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A processor of structlog: an expected error keeps its name, loses its traceback, and is a warning at most."""
    given = event.get("exc_info")
    if given is True:
        given = sys.exc_info()
    error = given[1] if isinstance(given, tuple) else given
    if not isinstance(error, BaseException) or not is_expected(error):
        return event
    event.pop("exc_info")
    event.setdefault("error", error.code if isinstance(error, ChatError) else type(error).__name__)
    if event.get("level") in ("error", "critical"):
        event["level"] = "warning"
    event[EXPECTED] = True
    return event


EXPECTED: Final = "expected"
"""The field of a log event that says so."""
