"""Beat's scheduler: a periodic task that the broker does not accept counts as a broker outage, logged once."""

from __future__ import annotations

from typing import Any

from celery.beat import Scheduler as CeleryScheduler
from celery.beat import SchedulingError

from app.tasks.broker.outage_log import outage


class Scheduler(CeleryScheduler):
    def apply_entry(self, entry: Any, producer: Any = None) -> None:
        """Publishes the task. After a failure it is due again one interval from now."""
        try:
            self.apply_async(entry, producer=producer, advance=False)
        except SchedulingError as error:
            outage.failed(error.__cause__ or error.__context__ or error)
