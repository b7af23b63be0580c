"""The worker's consumer: it goes on after every failure of the broker, and says so once."""

from __future__ import annotations

import time
import warnings
from typing import Final

from celery.worker.consumer import Consumer as CeleryConsumer

from app.tasks.broker.outage import outage

PAUSE_SECONDS: Final = 0.5
"""Before the next attempt: without it, a Redis that refuses (read-only) is tried a thousand times a second."""


class Consumer(CeleryConsumer):
    def on_connection_error_before_connected(self, exc: BaseException) -> None:
        outage.failed(exc)
        time.sleep(PAUSE_SECONDS)

    def on_connection_error_after_connected(self, exc: BaseException) -> None:
        outage.failed(exc)
        with warnings.catch_warnings():
            # It advises to kill tasks that run: here they end, and their effects are safe to have twice.
            warnings.simplefilter("ignore", PendingDeprecationWarning)
            super().on_connection_error_after_connected(exc)
        time.sleep(PAUSE_SECONDS)
