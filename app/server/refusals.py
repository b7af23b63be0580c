"""Responses sent before a request reaches the application, in the same problem format."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

import msgspec

from app.api.errors.codes import CODES
from app.api.errors.problems import MEDIA_TYPE, problem_of
from app.api.middleware.security_headers import ALWAYS, UNLESS_SET

NAMES: Final = (
    "400 malformed",
    "408 request_timeout",
    "413 too_large",
    "414 url_too_long",
    "431 head_too_large",
    "501 unknown_transfer_coding",
    "503 too_many_connections",
)
NOT_HTTP: Final = "This is not HTTP."
RETRY_SECONDS: Final = 10


class Refused(Exception):
    """Raised in parser callbacks. `name` is one of NAMES."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def _wire(name: str) -> bytes:
    """Returns the complete response, after which the connection closes."""
    status, code = int(name[:3]), name[4:]
    body = msgspec.json.encode(problem_of(status, code, NOT_HTTP if status == 400 else CODES[name]))
    headers = [
        (b"content-type", MEDIA_TYPE.encode()),
        (b"content-length", b"%d" % len(body)),
        (b"connection", b"close"),
        *([(b"retry-after", b"%d" % RETRY_SECONDS)] if status == 503 else []),
        *ALWAYS,
        *UNLESS_SET,
    ]
    lines = [b"HTTP/1.1 %d %b" % (status, HTTPStatus(status).phrase.encode()), *(b"%b: %b" % one for one in headers)]
    return b"\r\n".join([*lines, b"", body])


ANSWERS: Final = {name: _wire(name) for name in NAMES}
