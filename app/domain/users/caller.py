"""Who is asking: a user through one login session. Proven by an access token, or by a socket ticket."""

from __future__ import annotations

from uuid import UUID

import msgspec


class Caller(msgspec.Struct, frozen=True):
    """`expires_at` is the access token's end, in seconds since 1970; a socket must renew before."""

    user: UUID
    session: UUID
    expires_at: float = 0.0
