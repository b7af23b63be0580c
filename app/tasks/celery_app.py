"""The Celery application: one queue per kind, late acks, time limits, JSON only. Shared by worker, beat and API.

A lost worker's task is redelivered after `VISIBILITY` seconds. That is longer than any task may run, so redelivery
never runs a task concurrently with itself. Results are not stored: the effect of a task is in Postgres.
"""

from __future__ import annotations

import time
from collections.abc import MutableMapping
from typing import Any

from celery import Celery
from celery.schedules import schedule
from celery.signals import before_task_publish
from kombu.entity import Queue

from app.tasks.task_classes import RetriedTask

KINDS = ("cache", "notifications", "broadcasts", "analytics", "upkeep")
"""One queue each; a task named `chat.<kind>.<verb>` goes to the queue `<kind>`."""

MODULES = (
    "alerts",
    "broadcasts",
    "cache",
    "expiry",
    "failures",
    "mail",
    "notifications",
    "profile_propagation",
    "throttle_usage",
)
SENT_AT = "sent_at"
"""Message header: when the task was published, in seconds since 1970."""

SOFT_LIMIT = 60
HARD_LIMIT = 90
VISIBILITY = 300
BROKER_SECONDS = 2.0
PERIODIC = {
    "chat.cache.sweep": 60.0,
    "chat.upkeep.expire": 600.0,
    "chat.upkeep.tell_people": 5.0,
    "chat.upkeep.run_again": 10.0,
    "chat.notifications.overlooked": 15.0,
    "chat.notifications.decide": 5.0,
    "chat.broadcasts.advance": 5.0,
    "chat.analytics.bring_counts": 60.0,
}
"""Interval of each periodic task, in seconds."""


def make(broker_url: str) -> Celery:
    """Returns the application with the tasks of `app.tasks` and the Redis at `broker_url` as its broker."""
    celery = Celery(
        "chat",
        # kombu would parse the text after a semicolon as another server.
        broker=broker_url.replace(";", "%3B"),
        include=[f"app.tasks.{one}" for one in MODULES],
        task_cls=RetriedTask,
        amqp="app.tasks.broker.transport:AMQP",
    )
    celery.conf.update(
        # Declared so that Flower and exporters see the queues' lengths.
        task_queues=[Queue(kind) for kind in KINDS],  # type: ignore[no-untyped-call]  # kombu has no types
        task_routes={f"chat.{kind}.*": {"queue": kind} for kind in KINDS},
        task_default_queue="upkeep",
        task_create_missing_queues=False,
        # A message is acknowledged when its task ends, not when it starts: a killed worker loses no task.
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        task_soft_time_limit=SOFT_LIMIT,
        task_time_limit=HARD_LIMIT,
        # Other formats can carry code: a pickle message is rejected.
        accept_content=["json"],
        task_serializer="json",
        task_ignore_result=True,
        broker_transport="app.tasks.broker.transport:BrokerTransport",
        broker_connection_retry_on_startup=True,
        # Reconnect without a limit, also after rejections (a read-only replica): a worker that exits must restart,
        # which delays all periodic tasks.
        broker_connection_max_retries=None,
        broker_channel_error_retry=True,
        worker_pool="app.tasks.broker.worker_pool:TaskPool",
        worker_consumer="app.tasks.broker.consumer:Consumer",
        beat_scheduler="app.tasks.broker.beat_scheduler:Scheduler",
        broker_transport_options={
            "visibility_timeout": VISIBILITY,
            # Without timeouts, a Redis that accepts connections and never answers blocks forever.
            "socket_timeout": BROKER_SECONDS,
            "socket_connect_timeout": BROKER_SECONDS,
        },
        # Flower displays these events. Workers are counted by their heartbeats.
        worker_send_task_events=True,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        timezone="UTC",
        beat_schedule={name: _periodic(name, seconds) for name, seconds in PERIODIC.items()},
    )
    return celery


@before_task_publish.connect(weak=False, dispatch_uid="chat.sent_at")
def _note_time(headers: MutableMapping[str, Any] | None = None, **_: object) -> None:
    """Stores the time in the message, because the broker keeps none: the queue report shows the oldest age."""
    if headers is not None:
        headers[SENT_AT] = time.time()


def _periodic(task: str, seconds: float) -> dict[str, object]:
    # Expires when the next run is due, because that does the same work.
    return {"task": task, "schedule": schedule(seconds), "options": {"expires": seconds}}
