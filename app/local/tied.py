"""A process that ends when the one that started it does, for children of a manager that starts its children plainly.

On Linux the kernel sends SIGTERM when the parent dies, however it dies. Elsewhere the next start ends what was left.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

from app.local.processes import PR_SET_PDEATHSIG


def tie() -> None:
    """Tie this process to its parent. Raises SystemExit when that has just died."""
    if sys.platform.startswith("linux"):
        parent = os.getppid()
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
        if os.getppid() != parent:  # it died between the two lines above
            sys.exit(1)
