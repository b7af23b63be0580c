"""Responses of the busiest routes: JSON is encoded once, and the framework does not inspect every value again."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Any, Final

import msgspec
from litestar import Request, Response

from app.domain.users.caller import Caller

JSON: Final = "application/json"

CallersRequest = Request[Caller, Awaitable[None], Any]
"""The busiest handlers take the caller from the request: a second dependency would cost a task group per request."""

_encode = msgspec.json.Encoder().encode


def as_json(view: msgspec.Struct) -> Response[bytes]:
    return passed_on(_encode(view))


def passed_on(body: bytes, *, status_code: int = 200, headers: Mapping[str, str] | None = None) -> Response[bytes]:
    """Returns `body`, which is encoded JSON, as the response."""
    return Response(body, media_type=JSON, status_code=status_code, headers=dict(headers or {}))
