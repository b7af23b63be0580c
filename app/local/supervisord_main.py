"""Runs supervisord as `python -m app.local.supervisord_main`; its programs receive a stop signal at any moment.

Between fork and exec a child has supervisord's own handlers, which only note a signal. A SIGTERM sent then is lost, and
a stop during the start waits until supervisord kills the program.
"""

from __future__ import annotations

import os
import signal
from typing import Final

HANDLED: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)


def fork() -> int:
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


def main() -> None:
    # Imported here: production installs no supervisor, and every module of the product can be imported there.
    from supervisor import supervisord
    from supervisor.options import ServerOptions

    class Options(ServerOptions):  # type: ignore[misc]  # supervisor has no types
        def fork(self) -> int:
            return fork()

    supervisord.ServerOptions = Options
    supervisord.main()


if __name__ == "__main__":
    main()
