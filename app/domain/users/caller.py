"""The caller: a user through one login session, authenticated by an access token or a socket ticket."""

from __future__ import annotations

from uuid import UUID

import msgspec


class Caller(msgspec.Struct, frozen=True):
    """`expires_at` is the access token's expiry, in seconds since 1970; a socket must renew before then."""

    user: UUID
    session: UUID
    expires_at: float = 0.0
