"""The Celery application: queues by kind, late acks, limits, JSON only. Made by worker, beat and API alike.

A lost worker's task comes back after `VISIBILITY` seconds, longer than any task may live, so it is never run beside
itself by redelivery. Results are not kept: what a task did is found in Postgres.
"""

from __future__ import annotations

import time
from collections.abc import MutableMapping
from typing import Any

from celery import Celery
from celery.schedules import schedule
from celery.signals import before_task_publish
from kombu.entity import Queue

from app.tasks.base import RetriedTask

KINDS = ("cache", "notifications", "broadcasts", "analytics", "upkeep")
"""One queue each; a task named `chat.<kind>.<verb>` goes to the queue `<kind>`."""

MODULES = (
    "broadcasts",
    "cache",
    "failures",
    "mail",
    "maintenance",
    "notifications",
    "profile_changes",
    "slack",
    "throttle_usage",
)
SENT_AT = "sent_at"
"""The header of a message that says when it was handed over, in seconds since 1970."""

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
"""Seconds between two of each."""


def make(broker_url: str) -> Celery:
    """The application on the Redis at `broker_url`; its tasks are those of `app.tasks`."""
    celery = Celery(
        "chat",
        # kombu would take what follows a semicolon for another server.
        broker=broker_url.replace(";", "%3B"),
        include=[f"app.tasks.{one}" for one in MODULES],
        task_cls=RetriedTask,
        amqp="app.tasks.broker.transport:AMQP",
    )
    celery.conf.update(
        # Declared, or Flower and exporters do not see what waits in a queue.
        task_queues=[Queue(kind) for kind in KINDS],  # type: ignore[no-untyped-call]  # kombu has no types
        task_routes={f"chat.{kind}.*": {"queue": kind} for kind in KINDS},
        task_default_queue="upkeep",
        task_create_missing_queues=False,
        # A task is gone from its queue when it is done, not when it is begun: a killed worker loses none.
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        task_soft_time_limit=SOFT_LIMIT,
        task_time_limit=HARD_LIMIT,
        # Anything else could carry code: a pickle message is refused.
        accept_content=["json"],
        task_serializer="json",
        task_ignore_result=True,
        broker_transport="app.tasks.broker.transport:BrokerTransport",
        broker_connection_retry_on_startup=True,
        # Tried again for as long as it takes, refusals (a read-only replica) too: a worker that ends has to start
        # again, and all periodic tasks wait for it.
        broker_connection_max_retries=None,
        broker_channel_error_retry=True,
        worker_pool="app.tasks.broker.pool:TaskPool",
        worker_consumer="app.tasks.broker.consumer:Consumer",
        beat_scheduler="app.tasks.broker.scheduler:Scheduler",
        broker_transport_options={
            "visibility_timeout": VISIBILITY,
            # Without them a Redis that accepts and stays silent is waited for without end.
            "socket_timeout": BROKER_SECONDS,
            "socket_connect_timeout": BROKER_SECONDS,
        },
        # Flower shows what workers tell; who shows himself by heartbeat is counted.
        worker_send_task_events=True,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        timezone="UTC",
        beat_schedule={name: _periodic(name, seconds) for name, seconds in PERIODIC.items()},
    )
    return celery


@before_task_publish.connect(weak=False, dispatch_uid="chat.sent_at")
def _note_time(headers: MutableMapping[str, Any] | None = None, **_: object) -> None:
    """The broker keeps no time, so each message carries its own: how old the oldest is, operators ask."""
    if headers is not None:
        headers[SENT_AT] = time.time()


def _periodic(task: str, seconds: float) -> dict[str, object]:
    # What no worker took until the next one is due is dropped: it would do the same.
    return {"task": task, "schedule": schedule(seconds), "options": {"expires": seconds}}
