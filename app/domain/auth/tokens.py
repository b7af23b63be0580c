"""Access and refresh tokens: their claims, how they are signed, and the only code that verifies them.

A pair of tokens is a function of its login session's row: the same generation, begun at the same moment, yields the
same bytes. A client that lost the response to its refresh therefore gets the identical pair again, and no token is
stored anywhere, not even hashed (docs/decisions/tokens-from-the-row.md).

The algorithm is fixed and never read from the token. Issuer, audience, type and expiry are required and checked; a
refresh token authorizes no route. A valid token does not prove that its login is still live: see `login_status`.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import OrderedDict
from datetime import datetime
from time import time
from typing import Any, Literal
from uuid import UUID

import jwt
import msgspec

from app.domain.error_catalogue import invalid_token
from app.domain.users.caller import Caller

ALGORITHM = "HS256"
ISSUER = AUDIENCE = "chat"
LEEWAY = 30.0
"""Tolerated clock skew in seconds."""

MAX_TOKEN_LENGTH = 2_048
REMEMBERED = 4_096
_SCHEMES = frozenset({"bearer", "jwt"})
REQUIRED = ["iss", "aud", "sub", "sid", "type", "gen", "iat", "exp", "jti"]

TokenType = Literal["access", "refresh"]


class Claims(msgspec.Struct, frozen=True):
    """`generation` counts the refreshes of the login `session`; `expires_at` is in seconds since 1970."""

    user: UUID
    session: UUID
    type: TokenType
    generation: int
    expires_at: float

    def caller(self) -> Caller:
        return Caller(user=self.user, session=self.session, expires_at=self.expires_at)


class TokenPair(msgspec.Struct, frozen=True, kw_only=True):
    access: str
    refresh: str


class _Payload(msgspec.Struct, frozen=True):
    """The wire form, decoded strictly: a number where a string belongs makes the token invalid."""

    sub: UUID
    sid: UUID
    type: TokenType
    gen: int
    iat: int
    exp: int
    jti: str


class Tokens:
    """Signs with `secret`; accepts `secret` and, after a key rotation, `previous` for as long as it is configured.

    A login ends `refresh_days` after its last refresh, and at the latest `login_days` after it began.
    """

    def __init__(
        self,
        secret: str,
        previous: str = "",
        *,
        access_minutes: int = 15,
        refresh_days: int = 30,
        login_days: int = 180,
    ) -> None:
        self.access_seconds = access_minutes * 60
        self.refresh_seconds = refresh_days * 86_400
        self.login_seconds = login_days * 86_400
        self._keys = [_key(value) for value in (secret, previous) if value]
        self._seen: OrderedDict[str, Claims] = OrderedDict()

    def pair(
        self, *, user: UUID, session: UUID, generation: int, rotated_at: datetime, expires_at: datetime
    ) -> TokenPair:
        """Returns the pair of a login session's generation, always the same for the same row.

        `expires_at` is the end of the session and of the refresh token; the access token expires no later.
        """
        begin, end = int(rotated_at.timestamp()), int(expires_at.timestamp())
        return TokenPair(
            access=self._sign(user, session, "access", generation, begin, min(begin + self.access_seconds, end)),
            refresh=self._sign(user, session, "refresh", generation, begin, end),
        )

    def verify(self, token: str, type: TokenType | None = None) -> Claims:  # noqa: A002 - the claim's name
        """Returns the claims of `token`, which must be of `type`, or of either type with None.

        Raises:
            Unauthenticated: the signature or a claim is not valid, the type is wrong, or the token has expired.
        """
        claims = self._seen.get(token)
        if claims is None:
            claims = self._read(token)
            self._remember(token, claims)
        elif claims.expires_at <= time() - LEEWAY:
            del self._seen[token]
            raise invalid_token()
        if type is not None and claims.type != type:
            raise invalid_token()
        return claims

    def _sign(self, user: UUID, session: UUID, kind: TokenType, generation: int, begin: int, end: int) -> str:
        payload = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": str(user),
            "sid": str(session),
            "type": kind,
            "gen": generation,
            "iat": begin,
            "exp": end,
            "jti": hashlib.sha256(f"{session}.{generation}.{kind}".encode()).hexdigest()[:32],
        }
        return jwt.encode(payload, self._keys[0], algorithm=ALGORITHM)

    def _read(self, token: str) -> Claims:
        if len(token) > MAX_TOKEN_LENGTH:
            raise invalid_token()
        for key in self._keys:
            try:
                return _claims(_decode(token, key))
            except jwt.InvalidSignatureError:
                continue
            except (jwt.PyJWTError, msgspec.MsgspecError, ValueError, RecursionError) as error:
                raise invalid_token() from error
        raise invalid_token()

    def _remember(self, token: str, claims: Claims) -> None:
        # The signature is checked once per token, not with every request; the expiry is checked every time.
        self._seen[token] = claims
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)


def _key(secret: str) -> bytes:
    # A separate key for this purpose: the secret may sign other things, which must not pass for tokens.
    return hmac.digest(secret.encode(), b"chat.tokens.v1", "sha256")


def _decode(token: str, key: bytes) -> dict[str, Any]:
    # `iat` is not compared with the clock: only we issue tokens, and a machine with a slow clock must not refuse them.
    return jwt.decode(
        token,
        key,
        algorithms=[ALGORITHM],
        audience=AUDIENCE,
        issuer=ISSUER,
        leeway=LEEWAY,
        options={"require": REQUIRED, "verify_iat": False, "strict_aud": True},
    )


def _claims(payload: dict[str, Any]) -> Claims:
    read = msgspec.convert(payload, _Payload)
    return Claims(read.sub, read.sid, read.type, read.gen, float(read.exp))


def bearer_token(authorization: str) -> str | None:
    """Returns the token of an `Authorization` header, `Bearer …` or `JWT …`; None if it contains none."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() or None if scheme.lower() in _SCHEMES else None
