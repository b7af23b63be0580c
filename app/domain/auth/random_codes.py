"""Codes that people type: 80 random bits in lower-case letters and digits, in groups of four.

That is too much to search for, so a plain digest suffices and nothing else is stored.
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
    return "-".join(letters[start : start + GROUP] for start in range(0, len(letters), GROUP))


def normalize_code(code: str) -> str:
    """Normalizes a typed code: lower case, without blanks and hyphens."""
    return "".join(code.lower().split()).replace("-", "")
