"""Tokens of invites, 256 random bits, and the links that carry them.

A token follows the # of its link, so that no proxy and no log receives it, and clients send it in bodies only.
"""

from __future__ import annotations

import hashlib
from secrets import token_urlsafe
from typing import Final

import msgspec

RANDOM_BYTES: Final = 32
MAX_TOKEN_LENGTH: Final = 128


class InviteLinks(msgspec.Struct, frozen=True):
    """Builds links to the page of FRONTEND_URL or, without one, of the web app. Neither URL ends in a slash."""

    public_url: str
    frontend_url: str = ""

    def to(self, token: str) -> str:
        return (
            f"{self.frontend_url}/invite#token={token}" if self.frontend_url else f"{self.public_url}/#/invite/{token}"
        )


def new_token() -> str:
    return token_urlsafe(RANDOM_BYTES)


def digest_of_token(token: str) -> bytes:
    """Returns the digest that is stored. A plain one suffices: unlike a password, the token cannot be guessed."""
    return hashlib.sha256(token.strip()[:MAX_TOKEN_LENGTH].encode("utf-8", "surrogatepass")).digest()
