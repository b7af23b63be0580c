"""Authenticates a new socket: one of four credentials and, from a browser, an allowed origin.

A refused socket is accepted and then closed with its code, because browsers hide why a handshake failed.
Credentials are never logged.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from urllib.parse import parse_qsl

from litestar.connection import WebSocket

from app.db import Database
from app.domain.auth.socket_tickets import redeem
from app.domain.auth.tokens import Tokens, bearer_token
from app.domain.error_catalogue import not_authenticated
from app.domain.errors import Forbidden, Throttled, Unauthenticated
from app.domain.origins import Origins
from app.domain.users.caller import Caller
from app.domain.users.client_address import client_address, network
from app.realtime.connection.close_codes import FOREIGN_ORIGIN, NOT_AUTHENTICATED, REFUSED, TOO_MANY
from app.throttling.limiter import RateLimiter

PROTOCOL = "chat.v1"
BEARER = "bearer."
MAX_QUERY_PARAMETERS = 20

Socket = WebSocket[Any, Any, Any]


class HandshakeRefused(Exception):
    """The socket is refused; `code` is the close code, `reason` its word where the code has several."""

    def __init__(self, code: int, reason: str | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.reason = reason


class Authenticator:
    """`origins` may open sockets. A handshake without an Origin header is not from a browser; its credential decides.

    A handshake counts as a request of its user, one without a valid token as an unauthenticated request of its network.
    """

    def __init__(
        self,
        database: Database,
        tokens: Tokens,
        limiter: RateLimiter,
        *,
        origins: Collection[str],
        query_tokens: bool = True,
        proxy_hops: int = 0,
    ) -> None:
        self._database = database
        self._limiter = limiter
        self.proxy_hops = proxy_hops
        self.tokens = tokens
        self._origins = Origins(origins)
        self._query_tokens = query_tokens

    async def admit(self, socket: Socket) -> Caller:
        """Returns the caller. The snapshot for `hello` checks later whether the login has ended.

        Raises:
            HandshakeRefused: a foreign origin, a missing or invalid credential, or too many requests.
            Unavailable: the database is unavailable.
        """
        origin = _header(socket, b"origin")
        if origin is not None and not self._origins.allows(origin):
            raise HandshakeRefused(REFUSED, FOREIGN_ORIGIN)
        try:
            caller = await self._authenticate(socket)
            await self._limiter.count_user(str(caller.user))
        except Throttled:
            raise HandshakeRefused(TOO_MANY) from None
        except Unauthenticated:
            raise HandshakeRefused(NOT_AUTHENTICATED) from None
        except Forbidden:
            raise HandshakeRefused(REFUSED) from None
        return caller

    async def _authenticate(self, socket: Socket) -> Caller:
        query = _query(socket)
        token = _authorization(socket) or _subprotocol(socket)
        if token is None and self._query_tokens and "ticket" not in query:
            token = query.get("token")
        try:
            if token is not None:
                return self.tokens.verify(token, "access").caller()
        except Unauthenticated:
            await self._limiter.count_network(self._network(socket))
            raise
        await self._limiter.count_network(self._network(socket))
        if "ticket" not in query:
            raise not_authenticated()
        async with self._database.transaction() as session:
            return await redeem(session, query["ticket"], lifetime=self.tokens.access_seconds)

    def _network(self, socket: Socket) -> str:
        peer = socket.scope["client"]
        forwarded = [value.decode("latin-1") for name, value in socket.scope["headers"] if name == b"x-forwarded-for"]
        return network(client_address(peer[0] if peer else None, forwarded, self.proxy_hops))


def accepted_subprotocol(socket: Socket) -> str | None:
    """Returns `chat.v1` if the client offers it, else None. Never returns the subprotocol that carries the token."""
    return PROTOCOL if PROTOCOL in socket.scope["subprotocols"] else None


def _query(socket: Socket) -> dict[str, str]:
    try:
        pairs = parse_qsl(socket.scope["query_string"].decode("latin-1"), max_num_fields=MAX_QUERY_PARAMETERS)
    except ValueError:
        return {}
    return dict(reversed(pairs))


def _header(socket: Socket, name: bytes) -> str | None:
    # Not `socket.headers`, which would keep a parsed copy, credential included, for the life of the socket.
    for field, value in socket.scope["headers"]:
        if field.lower() == name:
            return value.decode("latin-1")
    return None


def _authorization(socket: Socket) -> str | None:
    return bearer_token(_header(socket, b"authorization") or "")


def _subprotocol(socket: Socket) -> str | None:
    for offered in socket.scope["subprotocols"]:
        if offered.startswith(BEARER):
            return str(offered[len(BEARER) :])
    return None
