"""The one-time link that `chat up` prints: the first who follows it becomes the first operator of a fresh chat.

The token stands on the terminal and in the part of the address that browsers keep to themselves. Only its digest
reaches the API, in the environment of its processes: no file and no row outlives the start that made it.
"""

from __future__ import annotations

import hashlib
import time
from hmac import compare_digest
from secrets import token_urlsafe
from typing import Final

import msgspec

LIFETIME_SECONDS: Final = 600
RANDOM_BYTES: Final = 32
MAX_TOKEN_LENGTH: Final = 128
OPERATOR_ADDRESS: Final = "operator@chat.localhost"
"""The address of the account that the link creates. Names below `.localhost` are this machine (RFC 6761)."""


class FirstLink(msgspec.Struct, frozen=True):
    """A printed link. `digest`: of its token, SHA-256 in hexadecimal. `made_at`: seconds since 1970."""

    digest: str
    made_at: float

    def opens(self, token: str) -> bool:
        """Returns whether `token` is this link's and its ten minutes have not passed."""
        return compare_digest(self.digest, _digest(token)) and time.time() < self.made_at + LIFETIME_SECONDS


def make() -> tuple[str, FirstLink]:
    """Returns a token, to be shown once and stored nowhere, and its link."""
    token = token_urlsafe(RANDOM_BYTES)
    return token, FirstLink(digest=_digest(token), made_at=time.time())


def _digest(token: str) -> str:
    # A plain digest suffices: unlike a password, 256 random bits cannot be guessed.
    return hashlib.sha256(token.strip()[:MAX_TOKEN_LENGTH].encode("utf-8", "surrogatepass")).hexdigest()
