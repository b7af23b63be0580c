"""Publishes tasks from requests without blocking: a separate thread sends them to the broker.

Celery's `.delay()` is synchronous: it takes 0.7 s if Redis refuses, longer if Redis does not answer. Here the caller
only appends to a bounded queue. If the queue is full or the broker is away, the task is dropped and counted, and a
periodic sweep does its work. A task with the same argument is published at most once in `RETRY_SECONDS` seconds.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import OrderedDict

import structlog
from celery import Celery, Task

log = structlog.get_logger(__name__)

MAX_WAITING = 1_000
MAX_REMEMBERED = 10_000
RETRY_SECONDS = 2.0


class Dispatcher:
    """`send` never blocks and never raises. `dropped` counts the tasks that did not reach the broker of `celery`."""

    def __init__(self, celery: Celery) -> None:
        self.dropped = 0
        self._celery = celery
        self._waiting: queue.Queue[tuple[Task, str] | None] = queue.Queue(MAX_WAITING)
        self._lately: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._thread = threading.Thread(target=self._work, name="dispatch", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float = 3.0) -> None:
        """Publishes the queued tasks and stops. Waits up to `timeout` seconds for room, then as long for the thread."""
        try:
            self._waiting.put(None, timeout=timeout)
        except queue.Full:
            return
        self._thread.join(timeout)

    def send(self, task: Task, argument: str) -> None:
        """Enqueues `task(argument)`, unless it was enqueued less than `RETRY_SECONDS` ago."""
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
                # A shared task publishes to the default application's broker, which may be another's.
                self._celery.tasks[task.name].apply_async((argument,), retry=False)
            except Exception as error:  # noqa: BLE001 - a broker outage must not end the thread
                self.dropped += 1
                log.warning("task_not_handed_over", task=task.name, error=type(error).__name__)
