"""Decides whether output is coloured: on a terminal, unless the environment says otherwise."""

from __future__ import annotations

import os
from typing import IO, Any

FORCE_COLOR = "FORCE_COLOR"


def has_colors(stream: IO[Any]) -> bool:
    """NO_COLOR (no-color.org) turns colours off and FORCE_COLOR turns them on, which `chat up` sets for its children:
    their output is a pipe, and its own may be a terminal."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get(FORCE_COLOR, "0") != "0":
        return True
    return is_interactive(stream)


def is_interactive(stream: IO[Any]) -> bool:
    """Whether a line on `stream` can be rewritten."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"
