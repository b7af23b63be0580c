"""The worker's consumer: it survives every broker failure and logs each outage once."""

from __future__ import annotations

import time
import warnings
from typing import Final

from celery.worker.consumer import Consumer as CeleryConsumer

from app.tasks.broker.outage_log import outage

PAUSE_SECONDS: Final = 0.5
"""Pause before a retry. Without it, a Redis that rejects writes (read-only) is retried a thousand times a second."""


class Consumer(CeleryConsumer):
    def on_connection_error_before_connected(self, exc: BaseException) -> None:
        outage.failed(exc)
        time.sleep(PAUSE_SECONDS)

    def on_connection_error_after_connected(self, exc: BaseException) -> None:
        outage.failed(exc)
        with warnings.catch_warnings():
            # The warning advises cancelling running tasks. Ours finish, and are safe to run twice.
            warnings.simplefilter("ignore", PendingDeprecationWarning)
            super().on_connection_error_after_connected(exc)
        time.sleep(PAUSE_SECONDS)
