"""Beat's scheduler: a periodic task that the broker does not take is a failure of the broker, said once."""

from __future__ import annotations

from typing import Any

from celery.beat import Scheduler as CeleryScheduler
from celery.beat import SchedulingError

from app.tasks.broker.outage import outage


class Scheduler(CeleryScheduler):
    def apply_entry(self, entry: Any, producer: Any = None) -> None:
        """Hand the task over, or leave it to its next time: its period from now."""
        try:
            self.apply_async(entry, producer=producer, advance=False)
        except SchedulingError as error:
            outage.failed(error.__cause__ or error.__context__ or error)
