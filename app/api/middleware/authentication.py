"""Authenticates and throttles every API request once, before its body is read.

A route is public only if it declares so (`opt={"public": True}`), never because of its path. All other routes require
an access token whose login is still active. The domain decides what the caller may do.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Any, Final

import msgspec
from litestar.connection import ASGIConnection
from litestar.datastructures import Headers
from litestar.di import Provide
from litestar.enums import ScopeType
from litestar.exceptions import HTTPException
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from app.api.errors.codes import UNSUPPORTED_ENCODING, UNSUPPORTED_MEDIA_TYPE
from app.api.request import ChatRequest
from app.domain.auth import security_log
from app.domain.auth.devices import Device
from app.domain.auth.tokens import Tokens, bearer_token
from app.domain.error_catalogue import not_authenticated, path_not_found
from app.domain.errors import Unauthenticated
from app.domain.users.client_address import client_address, network
from app.store.batched_login_checks import BatchedLoginChecks
from app.throttling.limiter import RateLimiter

PUBLIC: Final = {"public": True}
"""`opt` of a route that requires no token."""

CHECKED_LATER: Final = {"checked_later": True}
"""`opt` of a route whose domain function checks the login in its own transaction: a second check is wasted."""

OPERATORS: Final = {"operators": True}
"""`opt` of an operator route: other callers receive 404."""

ADMITTED_LATER: Final = {**CHECKED_LATER, "admitted_later": True}
"""`opt` of a route that awaits the throttle itself (`request.admission`), concurrently with its own queries."""


ANY_BODY: Final = {**PUBLIC, "any_body": True}
"""`opt` of a public route that accepts any body and does not read it."""


class Client(msgspec.Struct, frozen=True):
    """Origin of a request; throttles count by `network`."""

    address: str
    network: str


class Authentication(ASGIMiddleware):
    """Gives the request its `caller` and, on routes that await it themselves, its `admission`.

    This is not a guard, because Litestar copies the handler for every guard call.
    """

    scopes = (ScopeType.HTTP,)

    def __init__(
        self, tokens: Tokens, login_checks: BatchedLoginChecks, limiter: RateLimiter, *, proxy_hops: int = 0
    ) -> None:
        self._tokens = tokens
        self._login_checks = login_checks
        self._limiter = limiter
        self._hops = proxy_hops

    def __deepcopy__(self, memo: object) -> Authentication:
        return self  # Litestar copies a router's middleware; all routers share this instance

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Raises Unauthenticated, Throttled, NotFound on operators' paths, or 415 for a body that is not JSON."""
        security_log.set_client_address(lambda: client_of(ASGIConnection(scope), self._hops).address)
        admission = await self._admit(ChatRequest(scope), scope["route_handler"].opt)
        if admission is None:
            await next_app(scope, receive, send)
            return

        async def send_once_admitted(message: Message) -> None:
            # Invalid requests must not bypass the throttle: on an error the handler may not have awaited it.
            if message["type"] == "http.response.start" and message["status"] >= 400:
                await admission
            await send(message)

        await next_app(scope, receive, send_once_admitted)

    async def _admit(self, request: ChatRequest, opt: Mapping[str, Any]) -> Awaitable[None] | None:
        """Returns the pending rate-limit decision on routes that await it themselves."""
        admission = None
        if opt.get("operators") and request.method == "OPTIONS":
            await self.hide_from_others(request)
        elif opt.get("public") or request.method == "OPTIONS":
            await self._limiter.count_network(client_of(request, self._hops).network)
        else:
            caller = self._tokens.verify(bearer(request.headers), "access").caller()
            if opt.get("admitted_later"):
                admission = request.admission = self._limiter.admission(str(caller.user))
            else:
                await self._limiter.count_user(str(caller.user))
            if not opt.get("checked_later"):
                await self._login_checks.ensure(caller)
            if opt.get("operators"):
                await self._login_checks.ensure_operator(caller)
            request.caller = caller
        if not opt.get("any_body"):
            require_json(request.headers)
        return admission

    async def hide_from_others(self, request: ChatRequest) -> None:
        """Raises NotFound, or the refusal of a throttle, unless the caller is an operator."""
        try:
            caller = self._tokens.verify(bearer(request.headers), "access").caller()
            await self._login_checks.ensure(caller)
        except Unauthenticated:
            await self._limiter.count_network(client_of(request, self._hops).network)
            raise path_not_found() from None
        await self._limiter.count_user(str(caller.user))
        await self._login_checks.ensure_operator(caller)

    def dependencies(self) -> dict[str, Provide]:
        """Returns the dependency `device`, for logins and checks of passwords."""
        hops = self._hops

        def device(request: ChatRequest) -> Device:
            address = client_of(request, hops).address
            return Device(address=address, user_agent=request.headers.get("user-agent", ""))

        return {"device": Provide(device, sync_to_thread=False)}


def bearer(headers: Headers) -> str:
    """Returns the token of `Authorization: Bearer …` (or `JWT …`). Raises Unauthenticated."""
    token = bearer_token(headers.get("authorization", ""))
    if token is None:
        raise not_authenticated()
    return token


def client_of(connection: ASGIConnection[Any, Any, Any, Any], hops: int) -> Client:
    """Returns the client behind `hops` trusted proxies."""
    peer = connection.client.host if connection.client else None
    address = client_address(peer, connection.headers.getall("x-forwarded-for", []), hops)
    return Client(address, network(address))


def require_json(headers: Headers) -> None:
    """Raises HTTPException (415) for a compressed body or a `Content-Type` other than JSON."""
    if not (headers.get("content-length", "0") != "0" or "transfer-encoding" in headers):
        return
    coding = headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("", "identity"):
        raise HTTPException(
            status_code=415,
            detail=UNSUPPORTED_ENCODING.detail,
            headers={"Accept-Encoding": "identity"},
        )
    kind = headers.get("content-type")
    if kind is None or kind.partition(";")[0].strip().lower() == "application/json":
        return
    raise HTTPException(status_code=415, detail=UNSUPPORTED_MEDIA_TYPE.detail)
