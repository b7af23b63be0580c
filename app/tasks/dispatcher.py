"""From a request to a queue without waiting: a thread of its own hands tasks to the broker.

Celery's `.delay()` is synchronous: 0.7 s when Redis refuses, longer when it is silent. Here the caller only puts a
name on a bounded list; when the list is full, or the broker is away, the task is dropped and counted, and the periodic
sweep does what it would have done. The same task for the same id is handed over at most once in `AGAIN` seconds.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import OrderedDict

import structlog
from celery import Task

log = structlog.get_logger(__name__)

MAX_WAITING = 1_000
MAX_REMEMBERED = 10_000
RETRY_SECONDS = 2.0


class Dispatcher:
    """`send` never blocks and never raises. `dropped` counts what did not reach the broker."""

    def __init__(self) -> None:
        self.dropped = 0
        self._waiting: queue.Queue[tuple[Task, str] | None] = queue.Queue(MAX_WAITING)
        self._lately: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._thread = threading.Thread(target=self._work, name="dispatch", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float = 3.0) -> None:
        """Hand over what waits, for at most `timeout` seconds."""
        try:
            self._waiting.put(None, timeout=timeout)
        except queue.Full:
            return
        self._thread.join(timeout)

    def send(self, task: Task, argument: str) -> None:
        """Ask for `task(argument)`, unless it was asked for a moment ago."""
        now = time.monotonic()
        key = (task.name, argument)
        if now - self._lately.get(key, -RETRY_SECONDS) < RETRY_SECONDS:
            return
        self._lately[key] = now
        self._lately.move_to_end(key)
        while len(self._lately) > MAX_REMEMBERED:
            self._lately.popitem(last=False)
        try:
            self._waiting.put_nowait((task, argument))
        except queue.Full:
            self.dropped += 1

    def _work(self) -> None:
        while (item := self._waiting.get()) is not None:
            task, argument = item
            try:
                task.apply_async((argument,), retry=False)
            except Exception as error:  # noqa: BLE001 - a broker that is away ends no thread
                self.dropped += 1
                log.warning("task_not_handed_over", task=task.name, error=type(error).__name__)
