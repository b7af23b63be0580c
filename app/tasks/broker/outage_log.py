"""Logs one line when the broker goes away and one when it is back, regardless of the attempts in between.

A broker that rejects writes (a read-only replica, full memory) also counts as away. It still answers pings and empty
polls, so an outage ends only after `QUIET_SECONDS` without a failure.
"""

from __future__ import annotations

import time
from typing import Final

import structlog

log = structlog.get_logger(__name__)

QUIET_SECONDS: Final = 5.0


class Outage:
    """The outage state of one process. Any thread may call it: at worst, a race logs a second line."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._failed = 0.0

    def failed(self, error: BaseException) -> None:
        """Records a failure. Logs the first one of an outage."""
        self._failed = time.monotonic()
        if self._since is None:
            self._since = self._failed
            log.warning("broker_away", error=type(error).__name__, why=str(error)[:200])

    def worked(self) -> None:
        """Records a success. Logs the first one after an outage."""
        if self._since is not None and (now := time.monotonic()) - self._failed >= QUIET_SECONDS:
            log.info("broker_back", seconds=round(now - self._since))
            self._since = None


outage = Outage()
