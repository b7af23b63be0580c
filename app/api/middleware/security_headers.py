"""Adds security headers for browsers to every response, including errors and unknown paths."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

ALWAYS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
)
HSTS = (b"strict-transport-security", b"max-age=31536000")
"""A year, in seconds. Excludes subdomains: other services may run there over http."""

UNLESS_SET = (
    # Responses are private: no intermediate cache may store them.
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)


class SecurityHeaders:
    """Wraps the whole application: Litestar's own middleware does not see unknown paths.

    `https`: PUBLIC_URL uses https, so browsers must use it for every request (RFC 6797).
    """

    def __init__(self, app: Application, *, https: bool = False) -> None:
        self._app = app
        self._always = (*ALWAYS, HSTS) if https else ALWAYS

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                present = {name.lower() for name, _ in headers}
                headers.extend(self._always)
                headers.extend(header for header in UNLESS_SET if header[0] not in present)
                message["headers"] = headers
            await send(message)

        await self._app(scope, receive, send_with_headers)
