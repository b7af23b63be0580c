"""Finds misspelled settings: a variable that no process reads, and whose name resembles a setting's.

Foreign variables of the environment must never cause a warning, so a name there counts only if it is long and the
setting it resembles is not set. Every name in `.env` is meant for the chat.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Final

from app.settings.model import Settings

SETTINGS: Final = tuple(name.upper() for name in Settings.__struct_fields__)
SIMILARITY: Final = 0.87
"""Ratio of `difflib`. `SMPT_URL` has 0.875, `SMTP_USER` 0.82 and `TEST_DATABASE_URL` 0.83."""
SHORTEST: Final = 8
"""Characters. Below, one letter makes another word: PORT, SPORT."""


def find(written: Mapping[str, str], environ: Mapping[str, str]) -> list[str]:
    """Returns a sentence for each probable misspelling in `.env` (`written`) and in the environment."""
    given = {**written, **environ}
    found = {}
    for name in given:
        setting = _resembled(name)
        is_foreign = len(setting) < SHORTEST or given.get(setting, "").strip()
        if setting and (name in written or not is_foreign):
            found[name] = f"{name} is not a setting and is ignored: did you mean {setting}?"
    return list(found.values())


def _resembled(name: str) -> str:
    """Returns the setting that `name` resembles, or an empty string if `name` is a setting or resembles none."""
    if name in SETTINGS:
        return ""
    return next(iter(get_close_matches(name.upper(), SETTINGS, n=1, cutoff=SIMILARITY)), "")
