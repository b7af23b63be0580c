"""E-mail addresses: checked for sense, kept as written, compared without case (by Postgres's `lower`).

Letters that only look like others are refused: for Postgres `İ` is an i in capitals, and `K` (the Kelvin sign) a k, so
that who owns `gİthub.example` would be mailed the tokens of accounts at `github.example` (CVE-2019-19844).
"""

from __future__ import annotations

import hashlib
import re
from unicodedata import normalize

from sqlalchemy import ColumnElement, func

from app.domain.texts import clean, wrong
from app.domain.users.models import User

LONGEST = 254
"""Octets (RFC 5321, 4.5.3.1.3, less the angle brackets)."""

_SHAPE = re.compile(
    r"""(?P<local>[^\s@<>()\[\],;:\\"]{1,64})@(?P<domain>(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+[^\W_](?:[\w-]{0,61}[^\W_])?)"""
)


def check_email(email: str, field: str = "email") -> str:
    """`email` without blanks around it, once it can be one. Whether anybody reads it only a mail can tell.

    Raises:
        Invalid: naming `field`.
    """
    email = clean(email.strip(), field, LONGEST, one_line=True)
    shape = _SHAPE.fullmatch(email)
    if shape is None or len(email.encode()) > LONGEST or ".." in email or shape["local"][0] == "." == shape["local"][0]:
        raise wrong(field, "Is not an e-mail address.")
    # `=?` begins an encoded word in a header (RFC 2047): the address in it would be another one.
    # RFC 2606: nobody reads mail there. Addresses of closed accounts end so, and nobody may have one of those.
    if shape["domain"].lower().endswith(".invalid"):
        raise wrong(field, "Addresses that end with .invalid do not exist.")
    if not _is_plain(email) or "=?" in email:
        raise wrong(field, "Contains characters that pass for others.")
    return email


def owned_by(email: str) -> ColumnElement[bool]:
    """Of `User`: has this address, whatever its case. Nobody has one that could not be registered."""
    return func.lower(User.email) == func.lower(key_of(email))


def key_of(email: str) -> str:
    """What is looked up for an address that was typed; empty for what is none of anybody's."""
    email = email.strip()
    return email if _is_plain(email) else ""


def digest_of(account: str) -> str:
    """What an account is counted under, by address or id, however it is spelled. No address stands in Redis."""
    return hashlib.sha256(key_of(account).lower().encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _is_plain(email: str) -> bool:
    """Whether no letter of it is a variant of another, nor becomes an ASCII one in the other case."""
    return normalize("NFKC", email) == email and all(
        letter.isascii() or not any(one.isascii() for one in letter.lower()) for letter in email
    )
