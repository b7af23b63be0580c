"""One line in the log when the broker goes away, and one when it is back, however often it is tried in between.

Away also means that it refuses: a read-only replica, full memory. Such a broker still answers pings and empty polls, so
an outage is over only when nothing has failed for `QUIET_SECONDS`.
"""

from __future__ import annotations

import time
from typing import Final

import structlog

log = structlog.get_logger(__name__)

QUIET_SECONDS: Final = 5.0


class Outage:
    """That of one process. Called from any of its threads: the worst that a race does is a second line."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._failed = 0.0

    def failed(self, error: BaseException) -> None:
        """Note a failure; the first of an outage is logged."""
        self._failed = time.monotonic()
        if self._since is None:
            self._since = self._failed
            log.warning("broker_away", error=type(error).__name__, why=str(error)[:200])

    def worked(self) -> None:
        """Note a success; the first after the outage is logged."""
        if self._since is not None and (now := time.monotonic()) - self._failed >= QUIET_SECONDS:
            log.info("broker_back", seconds=round(now - self._since))
            self._since = None


outage = Outage()
