"""E-mail addresses: checked for sense, kept as written, compared without case (by Postgres's `lower`)."""

from __future__ import annotations

import re

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
    return email


def owned_by(email: str) -> ColumnElement[bool]:
    """Of `User`: has this address, whatever its case."""
    return func.lower(User.email) == func.lower(email)
