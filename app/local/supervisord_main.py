"""Runs supervisord as `python -m app.local.supervisord_main`; its programs receive a stop signal at any moment.

Between fork and exec a child has supervisord's own handlers, which only note a signal. A SIGTERM sent then is lost, and
a stop during the start waits until supervisord kills the program. Its own messages go to the log of the chat.
"""

from __future__ import annotations

import logging
import os
import signal
from typing import Any, Final

from supervisor import loggers, supervisord
from supervisor.options import ServerOptions

from app.settings import load
from app.telemetry.logging import configure

_log = logging.getLogger("supervisord")

USUAL: Final = ("received SIGTERM", "stopped: ")
"""supervisord warns of each stop that was requested."""

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


class ChatLog(loggers.Handler):  # type: ignore[misc]  # supervisor has no types
    """Writes supervisord's own messages to the log of the chat."""

    def emit(self, record: Any) -> None:
        message = record.asdict()["message"]
        is_usual = message.startswith(USUAL) or record.level < loggers.LevelsByName.WARN
        _log.log(logging.INFO if is_usual else logging.WARNING, "%s", message)

    def close(self) -> None:
        """It has no stream."""


class Options(ServerOptions):  # type: ignore[misc]  # supervisor has no types
    def make_logger(self) -> None:
        super().make_logger()
        self.logger.handlers[:] = [ChatLog()]

    def fork(self) -> int:
        return fork()


def main() -> None:
    configure(load(), process="up")
    supervisord.ServerOptions = Options
    supervisord.main()


if __name__ == "__main__":
    main()
