"""Chooses a Unicode character type (`LC_CTYPE`) that this machine's C library knows.

Postgres's builtin provider lowercases Greek and Russian, but `pg_trgm` takes its letters from the C library; with `C`
its index holds ASCII only.
"""

from __future__ import annotations

import locale
from functools import cache
from typing import Final

from app.local.processes import StartRefused

CANDIDATES: Final = ("C.UTF-8", "en_US.UTF-8", "UTF-8")
"""Unicode character types in order of preference: glibc and musl, older glibc, macOS."""


@cache
def character_type() -> str:
    """Returns this machine's name for a Unicode character type. Raises StartRefused if it has none."""
    before = locale.setlocale(locale.LC_CTYPE)
    try:
        for name in CANDIDATES:
            try:
                locale.setlocale(locale.LC_CTYPE, name)
            except locale.Error:
                continue
            return name
    finally:
        locale.setlocale(locale.LC_CTYPE, before)
    raise StartRefused(
        f"This machine has no UTF-8 locale ({' or '.join(CANDIDATES[:2])}), and without one names outside ASCII "
        "cannot be searched well: install one, or set DATABASE_URL to a database of your own."
    )
