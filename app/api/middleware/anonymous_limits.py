"""Requests of nobody in particular: documents, health, unknown paths, bad tokens. Each network may make so many.

They cost little each, and no user's throttle counts them. A route before login has a stricter limit
(`app.api.middleware.authentication`); authenticated requests count by user. Loopback is not counted, so monitors on
the machine and tests see every answer, and neither is `/livez`.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from ipaddress import ip_address
from typing import Any, Final, Protocol

from litestar.connection import ASGIConnection

from app.api.errors.problems import MEDIA_TYPE, refusal
from app.api.middleware.authentication import client_of
from app.api.middleware.security_headers import Application, Message, Receive, Send
from app.domain.errors import ChatError, Throttled
from app.domain.users.ip_addresses import UNKNOWN

API: Final = "/api/"
FREE: Final = frozenset({"/livez"})
UNKNOWN_CALLER: Final = frozenset({401, 404})
"""Answers of the API that count, when no login vouches for the request."""

KEPT: Final = (b"access-control-", b"vary")
"""Headers that a refusal in place of an answer takes over: without them a page of another origin could not read it."""


class NetworkLimiter(Protocol):
    """Counts requests: `app.throttling.limiter` does."""

    async def of_stranger(self, address: str) -> None:
        """Raises Throttled."""


class AnonymousLimits:
    """Wraps the whole application."""

    def __init__(self, app: Application, requests: NetworkLimiter, *, proxy_hops: int = 0) -> None:
        self._app = app
        self._requests = requests
        self._hops = proxy_hops

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in FREE:
            await self._app(scope, receive, send)
        elif scope["path"].startswith(API):
            await self._app(scope, receive, self._judging(scope, send))
        elif (refused := await self._refusal(scope)) is not None:
            await _answer(send, refused, [])
        else:
            await self._app(scope, receive, send)

    def _judging(self, scope: MutableMapping[str, Any], send: Send) -> Send:
        """Whether a request of the API is a stranger's shows in its answer; a refusal takes that answer's place."""
        replaced = False

        async def judge(message: Message) -> None:
            nonlocal replaced
            if message["type"] == "http.response.start" and message["status"] in UNKNOWN_CALLER:
                refused = None if scope.get("user") else await self._refusal(scope)
                if refused is not None:
                    replaced = True
                    await _answer(send, refused, message.get("headers", ()))
            if not replaced:
                await send(message)

        return judge

    async def _refusal(self, scope: MutableMapping[str, Any]) -> Throttled | None:
        address = client_of(ASGIConnection(scope), self._hops).address  # type: ignore[arg-type]
        if address == UNKNOWN or ip_address(address).is_loopback:
            return None
        try:
            await self._requests.of_stranger(address)
        except Throttled as refused:
            return refused
        except ChatError:
            return None  # nobody can count now: an answer that costs little is no reason to refuse it
        return None


async def _answer(send: Send, refused: Throttled, before: Any) -> None:
    problem = refusal(refused)
    headers = [(name.lower().encode(), value.encode()) for name, value in problem.headers.items()]
    headers += [pair for pair in before if pair[0].lower().startswith(KEPT)]
    headers += [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", b"%d" % len(problem.content))]
    await send({"type": "http.response.start", "status": 429, "headers": headers})
    await send({"type": "http.response.body", "body": problem.content})
