"""Makes standard output and errors fit what they are: a terminal without Unicode, or a file that children write too."""

from __future__ import annotations

import fcntl
import io
import os
import stat
import sys
from contextlib import suppress


def prepare() -> None:
    """Call it once, first. A character that the encoding lacks becomes a question mark instead of an error. A regular
    file is opened for appending, as each process would otherwise overwrite what the others wrote."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
        with suppress(OSError, ValueError, AttributeError):  # closed, or a test's stand-in
            file = stream.fileno()
            if stat.S_ISREG(os.fstat(file).st_mode):
                fcntl.fcntl(file, fcntl.F_SETFL, fcntl.fcntl(file, fcntl.F_GETFL) | os.O_APPEND)
