"""Runs supervisord, whose programs hear a stop signal from their first moment: `python -m app.local.supervisord_main`.

Between fork and exec a child has supervisord's own handlers, which only note a signal. A SIGTERM sent then is lost, and
a stop during the start waits until supervisord kills the program.
"""

from __future__ import annotations

import os
import signal
from typing import Final

from supervisor import supervisord
from supervisor.options import ServerOptions

HANDLED: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)


class Options(ServerOptions):  # type: ignore[misc]  # supervisor has no types
    def fork(self) -> int:
        """Forks with the signals blocked; the child restores their default effect before it accepts them."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)
        try:
            child = os.fork()
            if not child:
                for number in HANDLED:
                    signal.signal(number, signal.SIG_DFL)
            return child
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


if __name__ == "__main__":
    supervisord.ServerOptions = Options
    supervisord.main()
