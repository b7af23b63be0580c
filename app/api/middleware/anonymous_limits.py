"""Limits unauthenticated requests per network: documents, health checks, unknown paths, invalid tokens.

Each costs little, and no user's throttle counts it. Public API routes have a stricter limit
(`app.api.middleware.authentication`); authenticated requests count by user. Loopback is exempt, so that local monitors
and tests see every response; so are `/livez` and the files of the web app.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from ipaddress import ip_address
from typing import Any, Final

from litestar.connection import ASGIConnection

from app.api.errors.problems import MEDIA_TYPE, refusal
from app.api.middleware.authentication import client_of
from app.api.middleware.security_headers import Application, Message, Receive, Send
from app.domain.errors import ChatError, Throttled
from app.domain.users.client_address import UNKNOWN
from app.throttling.limiter import RateLimiter

API: Final = "/api/"
FREE: Final = frozenset({"/livez"})
ASSETS: Final = "/web-assets/"
"""Files of the web app: a page without one of its scripts stays empty, and browsers keep them for a year."""
UNKNOWN_CALLER: Final = frozenset({401, 404})
"""Statuses of API responses that count if the request is not authenticated."""

KEPT: Final = (b"access-control-", b"vary")
"""Headers that a refusal copies from the response it replaces: pages of other origins cannot read it without them."""


class AnonymousLimits:
    """Wraps the whole application."""

    def __init__(self, app: Application, limiter: RateLimiter, *, proxy_hops: int = 0) -> None:
        self._app = app
        self._limiter = limiter
        self._hops = proxy_hops

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in FREE or scope["path"].startswith(ASSETS):
            await self._app(scope, receive, send)
        elif scope["path"].startswith(API):
            await self._app(scope, receive, self._counting(scope, send))
        elif (refused := await self._refusal(scope)) is not None:
            await _answer(send, refused, [])
        else:
            await self._app(scope, receive, send)

    def _counting(self, scope: MutableMapping[str, Any], send: Send) -> Send:
        """Counts an API request if its response shows that it is unauthenticated; a refusal replaces that response."""
        replaced = False

        async def send_counted(message: Message) -> None:
            nonlocal replaced
            if message["type"] == "http.response.start" and message["status"] in UNKNOWN_CALLER:
                refused = None if scope.get("user") else await self._refusal(scope)
                if refused is not None:
                    replaced = True
                    await _answer(send, refused, message.get("headers", ()))
            if not replaced:
                await send(message)

        return send_counted

    async def _refusal(self, scope: MutableMapping[str, Any]) -> Throttled | None:
        address = client_of(ASGIConnection(scope), self._hops).address  # type: ignore[arg-type]
        if address == UNKNOWN or ip_address(address).is_loopback:
            return None
        try:
            await self._limiter.count_unauthenticated(address)
        except Throttled as refused:
            return refused
        except ChatError:
            return None  # counting is unavailable, and these responses are too cheap to refuse
        return None


async def _answer(send: Send, refused: Throttled, replaced_headers: Any) -> None:
    problem = refusal(refused)
    headers = [(name.lower().encode(), value.encode()) for name, value in problem.headers.items()]
    headers += [header for header in replaced_headers if header[0].lower().startswith(KEPT)]
    headers += [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", b"%d" % len(problem.content))]
    await send({"type": "http.response.start", "status": 429, "headers": headers})
    await send({"type": "http.response.body", "body": problem.content})
