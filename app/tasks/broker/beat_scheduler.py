"""Beat's scheduler. A periodic task that the broker does not accept counts as a broker outage, logged once; an accepted
one is a sign that beat is alive, which `chat queues` and `/metrics` show."""

from __future__ import annotations

import time
from typing import Any, Final

from celery.beat import Scheduler as CeleryScheduler
from celery.beat import SchedulingError

from app.tasks import task_stats
from app.tasks.broker.outage_log import outage

SIGN_SECONDS: Final = 1.0


class Scheduler(CeleryScheduler):
    _signed = 0.0

    def apply_entry(self, entry: Any, producer: Any = None) -> None:
        """Publishes the task. After a failure it is due again one interval from now."""
        try:
            self.apply_async(entry, producer=producer, advance=False)
        except SchedulingError as error:
            outage.failed(error.__cause__ or error.__context__ or error)
            return
        if (now := time.monotonic()) - self._signed >= SIGN_SECONDS:
            self._signed = now
            task_stats.note_beat(self.app)
