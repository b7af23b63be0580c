"""Answers of the busiest routes: JSON made once, which the framework passes on without looking at every value again."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Any, Final

import msgspec
from litestar import Litestar, Request, Response
from litestar.response.base import ASGIResponse
from litestar.types import HTTPResponseStartEvent, Receive, Scope, Send

from app.domain.users.callers import Caller

JSON: Final = "application/json"

CallersRequest = Request[Caller, Awaitable[None], Any]
"""The busiest handlers take the caller from the request: a second dependency would cost each a task group."""

_encode = msgspec.json.Encoder().encode


class Ready(Response[bytes]):
    """Sent as it is: no encoder is looked for, and no header but its own."""

    def to_asgi_response(self, app: Litestar | None, request: Request[Any, Any, Any], **_: Any) -> ASGIResponse:
        return _Sent(self.content, self.status_code or 200, self.headers)


class _Sent(ASGIResponse):
    """`body` is JSON."""

    __slots__ = ("_start",)

    def __init__(self, body: bytes, status: int, headers: Mapping[str, str]) -> None:
        self.body = body
        own = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        fixed = [(b"content-type", JSON.encode()), (b"content-length", b"%d" % len(body))]
        self._start: HTTPResponseStartEvent = {
            "type": "http.response.start",
            "status": status,
            "headers": fixed + own,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send(self._start)
        await send({"type": "http.response.body", "body": self.body, "more_body": False})


def as_json(view: msgspec.Struct) -> Response[bytes]:
    return passed_on(_encode(view))


def passed_on(body: bytes, *, status_code: int = 200, headers: Mapping[str, str] | None = None) -> Response[bytes]:
    """`body` is JSON."""
    return Ready(body, media_type=JSON, status_code=status_code, headers=dict(headers or {}))
