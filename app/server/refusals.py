"""Responses sent before a request reaches the application, in the same problem format."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

import httptools
import msgspec

from app.api.errors import codes
from app.api.errors.codes import HttpError
from app.api.errors.problems import MEDIA_TYPE, problem_of
from app.api.middleware.security_headers import ALWAYS, UNLESS_SET

REFUSALS: Final = (
    codes.NOT_HTTP,
    codes.REQUEST_TIMEOUT,
    codes.TOO_LARGE,
    codes.TOO_MANY_CHUNKS,
    codes.URL_TOO_LONG,
    codes.HEAD_TOO_LARGE,
    codes.UNKNOWN_TRANSFER_CODING,
    codes.TOO_MANY_CONNECTIONS,
)
RETRY_SECONDS: Final = 10


class Refused(Exception):
    """Raised in parser callbacks with one of REFUSALS."""

    def __init__(self, error: HttpError) -> None:
        super().__init__(error.code)
        self.error = error


def _encode_response(error: HttpError) -> bytes:
    """Returns the complete response, after which the connection closes."""
    status = error.status
    body = msgspec.json.encode(problem_of(*error))
    headers = [
        (b"content-type", MEDIA_TYPE.encode()),
        (b"content-length", b"%d" % len(body)),
        (b"connection", b"close"),
        *([(b"retry-after", b"%d" % RETRY_SECONDS)] if status == 503 else []),
        *ALWAYS,
        *UNLESS_SET,
    ]
    status_line = b"HTTP/1.1 %d %b" % (status, HTTPStatus(status).phrase.encode())
    lines = [status_line, *(b"%b: %b" % header for header in headers)]
    return b"\r\n".join([*lines, b"", body])


RESPONSES: Final = {error: _encode_response(error) for error in REFUSALS}


def reason_of(error: httptools.HttpParserError) -> codes.HttpError:
    """Returns why a callback refused, or that the bytes are no HTTP.

    A function of its own: kept in a variable of the caller, the cause would refer to itself through its traceback, and
    keep the bytes read (256 KiB of each refused connection) until the garbage collector runs.
    """
    cause = error.__context__ or error.__cause__
    return cause.error if isinstance(cause, Refused) else codes.NOT_HTTP
