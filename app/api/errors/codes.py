"""Every `code` a problem may carry, with its status and a sentence; the OpenAPI document lists them for each route.

The domain's catalogue declares its errors and this module gives each its HTTP status; errors of HTTP itself are
declared here. A code means the same on every route.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from app.domain import error_catalogue, errors
from app.domain.error_catalogue import (
    CATALOGUE,
    ErrorEntry,
    busy,
    database_unavailable,
    invalid,
    invalid_token,
    login_ended,
    not_authenticated,
    outcome_unknown,
    overloaded,
    second_factor_needed,
    unavailable,
)
from app.domain.errors import ChatError, Throttled

STATUSES: Final[Mapping[type[ChatError], int]] = {
    errors.Invalid: 400,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.Unprocessable: 422,
    errors.Throttled: 429,
    errors.Unavailable: 503,
    errors.ChatError: 500,
}


class HttpError(NamedTuple):
    """An error of HTTP, which no operation of the domain raises."""

    status: int
    code: str
    detail: str


MALFORMED: Final = HttpError(400, "malformed", "The request is malformed.")
NOT_HTTP: Final = HttpError(400, "malformed", "This is not HTTP.")
NOT_UTF8: Final = HttpError(400, "malformed", "The request is not valid UTF-8.")
NESTED_TOO_DEEPLY: Final = HttpError(400, "malformed", "The JSON is nested too deeply.")
FOREIGN_ORIGIN: Final = HttpError(
    400, "foreign_origin", "Pages from this origin may not call the API (see ALLOWED_ORIGINS)."
)
UNKNOWN_HOST: Final = HttpError(400, "unknown_host", "This server does not serve this host name (see ALLOWED_HOSTS).")
FORBIDDEN: Final = HttpError(403, errors.Forbidden.code, errors.Forbidden.detail)
METHOD_NOT_ALLOWED: Final = HttpError(
    405, "method_not_allowed", "This path does not support the method. The Allow header lists the methods it supports."
)
REQUEST_TIMEOUT: Final = HttpError(408, "request_timeout", "The request did not arrive completely in time.")
TOO_LARGE: Final = HttpError(413, "too_large", "The request body is too large.")
TOO_MANY_CHUNKS: Final = HttpError(413, "too_large", "The request body has more than 4,096 chunks.")
URL_TOO_LONG: Final = HttpError(414, "url_too_long", "The URL is longer than 8,192 bytes.")
UNSUPPORTED_MEDIA_TYPE: Final = HttpError(
    415, "unsupported_media_type", "Send JSON with the header Content-Type: application/json."
)
UNSUPPORTED_ENCODING: Final = HttpError(
    415, "unsupported_media_type", "Send the body uncompressed, without Content-Encoding."
)
UPGRADE_REQUIRED: Final = HttpError(
    426, "upgrade_required", "This path is a WebSocket: connect with a WebSocket client (see /docs/socket)."
)
THROTTLED: Final = HttpError(429, Throttled.code, Throttled("requests", 12).detail)
HEAD_TOO_LARGE: Final = HttpError(
    431, "head_too_large", "The request has more than 100 headers, or they are larger than 32,768 bytes."
)
UNKNOWN_TRANSFER_CODING: Final = HttpError(
    501, "unknown_transfer_coding", "The only supported Transfer-Encoding is chunked."
)
TOO_MANY_CONNECTIONS: Final = HttpError(
    503,
    "too_many_connections",
    (
        "There are too many open connections, or your network has caused too many refusals."
        " Close some, wait ten seconds, and try again."
    ),
)

ON_SOCKETS: Final = frozenset(
    {error_catalogue.another_login.code, error_catalogue.invalid_ticket.code, error_catalogue.too_many_resumes.code}
)
"""Codes that no response carries: frames carry them, and an invalid ticket closes its socket with 4401."""


def status_of(kind: type[ChatError]) -> int:
    """Returns the HTTP status of errors of this kind."""
    return next(STATUSES[base] for base in kind.__mro__ if base in STATUSES)


def http_error(entry: ErrorEntry[ChatError]) -> HttpError:
    """Returns what HTTP answers for an error of the catalogue."""
    return HttpError(status_of(entry.kind), entry.code, entry.detail)


def _all() -> Iterator[HttpError]:
    yield from (error for error in globals().copy().values() if isinstance(error, HttpError))
    yield from (http_error(entry) for entry in CATALOGUE.values() if entry.code not in ON_SOCKETS)


CODES: Final = tuple(sorted({f"{error.status} {error.code}" for error in _all()}))
"""Every pair "status code" of the API."""

OF_ALL_PATHS: Final = (URL_TOO_LONG, HEAD_TOO_LARGE)
"""Errors that any path may return; the OpenAPI document lists them once in its introduction and at health checks."""

OF_ALL: Final = (THROTTLED, *map(http_error, (database_unavailable, busy, overloaded, unavailable)))
"""Errors that every route of the API may return, public or not."""

OF_CALLERS: Final = tuple(map(http_error, (not_authenticated, invalid_token, login_ended)))
OF_OPERATORS: Final = (http_error(second_factor_needed),)
OF_PARAMETERS: Final = (http_error(invalid),)
OF_BODIES: Final = (*OF_PARAMETERS, MALFORMED, TOO_LARGE, UNSUPPORTED_MEDIA_TYPE)
OF_WRITES: Final = (http_error(outcome_unknown),)
