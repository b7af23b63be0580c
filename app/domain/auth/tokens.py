"""Access and refresh tokens: what they say, how they are signed, and the only way they are believed.

A pair of tokens is a function of its login session's row: the same generation, begun at the same moment, gives the
same bytes. So a client whose refresh was answered but not heard gets the very same pair again, and no token is stored
anywhere, not even hashed (docs/decisions/tokens-from-the-row.md).

The algorithm is fixed and never read from the token. Issuer, audience, type and end are required and checked; a
refresh token opens no route. What a valid token cannot say is whether its login still lives: `liveness` asks that.
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

from app.domain.errors import Unauthenticated
from app.domain.users.caller import Caller

ALGORITHM = "HS256"
ISSUER = AUDIENCE = "chat"
LEEWAY = 30.0
"""Seconds a clock may be wrong."""

MAX_TOKEN_LENGTH = 2_048
REMEMBERED = 4_096
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
    """The wire form; strict: a number where text belongs is no token of ours."""

    sub: UUID
    sid: UUID
    type: TokenType
    gen: int
    iat: int
    exp: int
    jti: str


class Tokens:
    """Signs with `secret`; believes `secret` and, after the secret was changed, `previous` for as long as it is set.

    A login ends `refresh_days` after its last refresh, and `login_days` after it began, however it is used.
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
        self._keys = [_key(one) for one in (secret, previous) if one]
        self._seen: OrderedDict[str, Claims] = OrderedDict()

    def pair(
        self, *, user: UUID, session: UUID, generation: int, rotated_at: datetime, expires_at: datetime
    ) -> TokenPair:
        """The pair of a login session's generation: always the same for the same row.

        `expires_at` is the session's end, and the refresh token's; the access token ends first.
        """
        begin, end = int(rotated_at.timestamp()), int(expires_at.timestamp())
        return TokenPair(
            access=self._sign(user, session, "access", generation, begin, min(begin + self.access_seconds, end)),
            refresh=self._sign(user, session, "refresh", generation, begin, end),
        )

    def verify(self, token: str, type: TokenType | None = None) -> Claims:  # noqa: A002 - the claim's name
        """What `token` says; of the `type` asked for, or of either with None.

        Raises:
            Unauthenticated: it is not ours, not of that type, or over.
        """
        claims = self._seen.get(token)
        if claims is None:
            claims = self._read(token)
            self._remember(token, claims)
        elif claims.expires_at <= time() - LEEWAY:
            del self._seen[token]
            raise refused()
        if type is not None and claims.type != type:
            raise refused()
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
            raise refused()
        for key in self._keys:
            try:
                return _claims(_decode(token, key))
            except jwt.InvalidSignatureError:
                continue
            except (jwt.PyJWTError, msgspec.MsgspecError, ValueError, RecursionError) as error:
                raise refused() from error
        raise refused()

    def _remember(self, token: str, claims: Claims) -> None:
        # A signature is checked once, not with every request of a client; the end is checked every time.
        self._seen[token] = claims
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)


def refused() -> Unauthenticated:
    """One answer for every way a token can be wrong: which one it was is nobody's business."""
    return Unauthenticated("invalid_token", "This token is not valid, or not any more.")


def _key(secret: str) -> bytes:
    # A key of its own for this purpose: the secret may sign other things without one passing for the other.
    return hmac.digest(secret.encode(), b"chat.tokens.v1", "sha256")


def _decode(token: str, key: bytes) -> dict[str, Any]:
    # `iat` is not held against the clock: only we issue, and a machine whose clock is slow must not refuse everybody.
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
