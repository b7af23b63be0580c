"""Recognizes expected errors: a wrong password, an invalid body, a disconnected client, an unavailable dependency.

They are responses, not faults. Anonymous clients can cause any number of them, so they leave no traceback in the log
and no event in Sentry, where they would bury real faults. They are recognized by type, wherever they are raised.
"""

from __future__ import annotations

import sys
from collections.abc import MutableMapping
from typing import Any, Final

from app.domain.errors import ChatError

HUNG_UP: Final = frozenset({"ClientDisconnect", "ClientDisconnected", "WebSocketDisconnect"})
"""Class names rather than classes: a worker imports neither Litestar nor uvicorn."""


def is_expected(error: BaseException | None) -> bool:
    """Whether this is a refusal rather than a fault of the program. A group is expected if all its members are."""
    if isinstance(error, BaseExceptionGroup):
        return all(is_expected(one) for one in error.exceptions)
    if isinstance(error, ChatError) or type(error).__name__ in HUNG_UP:
        return True
    # Litestar's HTTPException and its subclasses; other exceptions with a `status_code` are responses as well.
    status = getattr(error, "status_code", None)
    return isinstance(status, int) and 400 <= status < 500


def is_clients_fault(error: BaseException | None) -> bool:
    """Like `is_expected`, for errors of a request: a body that is not UTF-8 or is nested too deeply is a 400, too."""
    deep = isinstance(error, RecursionError) and "deserializing" in str(error)
    return is_expected(error) or deep or isinstance(error, UnicodeDecodeError)


def without_tracebacks(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """structlog processor: an expected error keeps its name, loses its traceback, and is a warning at most."""
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
"""The field that marks a log event as an expected error."""
