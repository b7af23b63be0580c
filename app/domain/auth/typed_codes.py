"""Codes that people type: 80 random bits in lower-case letters and digits, in groups of four.

A plain digest of one cannot be searched, so nothing but the digest is kept.
"""

from __future__ import annotations

import base64
from secrets import token_bytes
from typing import Final

RANDOM_BYTES: Final = 10
GROUP: Final = 4


def new_code() -> str:
    """`k3mz-q5xw-7b2n-tfya`"""
    letters = base64.b32encode(token_bytes(RANDOM_BYTES)).decode().lower()
    return "-".join(letters[at : at + GROUP] for at in range(0, len(letters), GROUP))


def typed(code: str) -> str:
    """One form for however it was typed: without case, blanks and hyphens."""
    return "".join(code.lower().split()).replace("-", "")
