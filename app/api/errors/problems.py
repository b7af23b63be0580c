"""Maps every error to an RFC 9457 problem; no other module does. A 500 reveals no details; the log has all of them.

`code` is stable and meant for programs; `type` and `title` derive from it; `detail` describes this occurrence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example

from app.api.errors.codes import (
    FORBIDDEN,
    MALFORMED,
    METHOD_NOT_ALLOWED,
    NESTED_TOO_DEEPLY,
    NOT_UTF8,
    TOO_LARGE,
    UNSUPPORTED_MEDIA_TYPE,
    UPGRADE_REQUIRED,
    HttpError,
    http_error,
    status_of,
)
from app.api.errors.fields import FieldError, field_errors
from app.domain.error_catalogue import ErrorEntry, internal, invalid, not_authenticated, path_not_found, unavailable
from app.domain.errors import ChatError, Invalid, Throttled

MEDIA_TYPE: Final = "application/problem+json"
CHALLENGE: Final = 'Bearer realm="chat"'

OF_HTTP: Final[Mapping[int, HttpError | ErrorEntry[ChatError]]] = {
    400: MALFORMED,
    401: not_authenticated,
    403: FORBIDDEN,
    404: path_not_found,
    405: METHOD_NOT_ALLOWED,
    413: TOO_LARGE,
    415: UNSUPPORTED_MEDIA_TYPE,
    426: UPGRADE_REQUIRED,
}
"""What a status means when the framework raises it."""

SPECIFIC: Final = frozenset({400, 415})
"""Statuses for which the exception's own sentence is more specific."""

log = structlog.get_logger(__name__)


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """RFC 9457, with a stable `code`. For an invalid body or parameter, `errors` names the fields at fault."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[FieldError] = []


def answer(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """The application's only exception handler: returns the response to any `error`."""
    error = _alone(error)
    if isinstance(error, ChatError):
        return refusal(error)
    if isinstance(error, HTTPException) and error.status_code < 500:
        return _http(error)
    if isinstance(error, UnicodeDecodeError):
        return _problem(*NOT_UTF8)
    if isinstance(error, RecursionError) and "deserializing" in str(error):
        return _problem(*NESTED_TOO_DEEPLY)
    if isinstance(error, TimeoutError):
        log.warning("deadline passed", method=request.method, route=request.scope.get("path_template"))
        return refusal(unavailable())
    log.error("unhandled", exc_info=error, method=request.method, route=request.scope.get("path_template"))
    return refusal(internal())


def refusal(error: ChatError) -> Response[bytes]:
    """Returns the response to a domain error."""
    status = status_of(type(error))
    faults = [FieldError(field, message) for field, message in error.errors] if isinstance(error, Invalid) else []
    return _problem(status, error.code, error.detail, faults, _headers(status, error))


def settled(outcome: msgspec.Struct | ChatError) -> Response[bytes]:
    """Returns the response to an outcome: a view, or an error returned, not raised, so that the transaction commits."""
    if isinstance(outcome, ChatError):
        return refusal(outcome)
    return Response(msgspec.json.encode(outcome), status_code=200, media_type="application/json")


def documented(*entries: ErrorEntry[ChatError]) -> dict[int, ResponseSpec]:
    """Returns a route's errors for OpenAPI, one entry for each code.

    `app.api.docs.openapi` adds the errors common to all routes (400, 401, 429, 503 …).
    """
    examples: dict[int, list[Example]] = {}
    for error in map(http_error, entries):
        value = msgspec.to_builtins(problem_of(*error))
        examples.setdefault(error.status, []).append(Example(id=error.code, value=value))
    return {
        status: ResponseSpec(Problem, generate_examples=False, media_type=MEDIA_TYPE, examples=of_status)
        for status, of_status in examples.items()
    }


def problem_of(status: int, code: str, detail: str, faults: list[FieldError] | None = None) -> Problem:
    """Returns the problem of `code`; `type` and `title` derive from it."""
    return Problem(
        type=f"urn:problem-type:{code}",
        title=code.replace("_", " ").capitalize(),
        status=status,
        detail=detail,
        code=code,
        errors=faults or [],
    )


def allow(methods: Iterable[str]) -> str:
    """Returns the `Allow` header of a path whose routes declare `methods`."""
    known = set(methods)
    return ", ".join(sorted(known | {"HEAD"} if "GET" in known else known))


def _http(error: HTTPException) -> Response[bytes]:
    """Maps Litestar's errors: routing, parsing, validation. Litestar's texts quote URLs; these do not."""
    status = error.status_code
    headers = dict(error.headers or {})
    if status == 405:
        headers = {"Allow": allow(headers.get("allow", "").split(", "))}
    if isinstance(error, ValidationException):
        return _problem(400, invalid.code, invalid.detail, field_errors(error.extra), headers)
    headers |= {"WWW-Authenticate": CHALLENGE} if status == 401 else {}
    meant = OF_HTTP.get(status)
    code = ChatError.code if meant is None else meant.code
    detail = error.detail if meant is None or status in SPECIFIC else meant.detail
    return _problem(status, code, detail, [], headers)


def _headers(status: int, error: ChatError) -> dict[str, str]:
    if isinstance(error, Throttled):
        # draft-ietf-httpapi-ratelimit-headers-10: q = quota, w = window (s), r = remaining, t = reset after (s).
        return {
            "Retry-After": str(error.retry_after),
            "RateLimit": f'"{error.policy}";r=0;t={error.retry_after}',
            "RateLimit-Policy": f'"{error.policy}";q={error.limit};w={error.window}',
        }
    if status == 401:
        return {"WWW-Authenticate": CHALLENGE}
    return {"Retry-After": "1"} if status == 503 else {}


def _problem(
    status: int,
    code: str,
    detail: str,
    faults: list[FieldError] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response[bytes]:
    problem = problem_of(status, code, detail, faults)
    return Response(msgspec.json.encode(problem), status_code=status, headers=headers, media_type=MEDIA_TYPE)


def _alone(error: Exception) -> Exception:
    """Unwraps groups of one exception: a generator dependency may wrap an exception that passes through it."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
