"""Who may open a socket: one of four proofs, and a page of ours if a browser asks.

A refused socket is accepted and then closed with its code, because a browser is not shown why a handshake failed.
Nothing of the proof is ever logged.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from urllib.parse import parse_qs

from litestar.connection import WebSocket

from app.db import Database
from app.domain.errors import ChatError, Forbidden, Unauthenticated
from app.domain.users.callers import Caller
from app.domain.users.tickets import redeem
from app.domain.users.tokens import Tokens
from app.realtime.connections import NOT_AUTHENTICATED, REFUSED

PROTOCOL = "chat.v1"
BEARER = "bearer."
SCHEMES = ("bearer", "jwt")
MOST_PARAMETERS = 20

Socket = WebSocket[Any, Any, Any]


class Refused(Exception):
    """`code` is the close code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Gate:
    """`origins` are the pages that may open sockets; without an Origin it is no browser, and the proof decides."""

    def __init__(
        self, database: Database, tokens: Tokens, *, origins: Collection[str], query_tokens: bool = True
    ) -> None:
        self._database = database
        self.tokens = tokens
        self._origins = frozenset(origin.rstrip("/").lower() for origin in origins)
        self._query_tokens = query_tokens

    async def admit(self, socket: Socket) -> Caller:
        """Whose socket this is. Whether the login still lives is asked with the first snapshot.

        Raises:
            Refused: a foreign page, no proof, or a wrong one. Unavailable: the database is away.
        """
        origin = _header(socket, b"origin")
        if origin is not None and origin.rstrip("/").lower() not in self._origins:
            raise Refused(REFUSED)
        try:
            return await self._proven(socket)
        except (Unauthenticated, ValueError):
            raise Refused(NOT_AUTHENTICATED) from None
        except Forbidden:
            raise Refused(REFUSED) from None

    async def _proven(self, socket: Socket) -> Caller:
        token = _authorization(socket) or _subprotocol(socket)
        if token is not None:
            return self.tokens.verify(token, "access").caller()
        query = parse_qs(socket.scope["query_string"].decode("latin-1"), max_num_fields=MOST_PARAMETERS)
        if "ticket" in query:
            async with self._database.transaction() as session:
                return await redeem(session, query["ticket"][0], lifetime=self.tokens.access_seconds)
        if "token" in query and self._query_tokens:
            return self.tokens.verify(query["token"][0], "access").caller()
        raise Unauthenticated


def answer_protocol(socket: Socket) -> str | None:
    """The subprotocol to accept with: ours if it was offered; never the one that carries the token."""
    return PROTOCOL if PROTOCOL in socket.scope["subprotocols"] else None


def refusal_of(error: ChatError) -> int:
    """The close code for an error that ends a socket."""
    return REFUSED if isinstance(error, Forbidden) else NOT_AUTHENTICATED


def _header(socket: Socket, name: bytes) -> str | None:
    # Not `socket.headers`, which would keep a parsed copy, proof and all, as long as the socket lives.
    for field, value in socket.scope["headers"]:
        if field.lower() == name:
            return value.decode("latin-1")
    return None


def _authorization(socket: Socket) -> str | None:
    scheme, _, token = (_header(socket, b"authorization") or "").partition(" ")
    return token.strip() if scheme.lower() in SCHEMES else None


def _subprotocol(socket: Socket) -> str | None:
    for offered in socket.scope["subprotocols"]:
        if offered.startswith(BEARER):
            return str(offered[len(BEARER) :])
    return None
