"""Rebuilds page caches from Postgres: one on demand, the busiest in a periodic sweep. Safe to run twice."""

from __future__ import annotations

from collections.abc import Awaitable
from uuid import UUID

import structlog
from celery import current_app, shared_task

from app.tasks import task_stats
from app.tasks.context import worker_runtime
from app.tasks.task_classes import PeriodicTask

log = structlog.get_logger(__name__)

MAX_EXAMINED = 500
MAX_REBUILT = 200
"""Rebuilds per sweep. The next sweep does the remaining ones."""


@shared_task(name="chat.cache.rebuild")
def rebuild(conversation: str) -> int:
    """Rebuilds the cache of the conversation with this id. Returns the number of messages it now holds."""
    messages = worker_runtime.run(lambda context: _rebuilt(context.rebuild_cache(UUID(conversation))))
    log.info("cache_rebuilt", conversation=conversation, messages=messages)
    return messages


@shared_task(name="chat.cache.sweep", base=PeriodicTask)
def sweep() -> int:
    """Warms and repairs the caches of the busiest conversations. Returns the number rebuilt."""
    swept = worker_runtime.run(lambda context: context.sweep_caches(MAX_EXAMINED, MAX_REBUILT))
    if rebuilt_count := swept.warmed + swept.repaired:
        task_stats.count_rebuilds(current_app, "warmed", swept.warmed)
        task_stats.count_rebuilds(current_app, "repaired", swept.repaired)
        log.info("caches_swept", warmed=swept.warmed, repaired=swept.repaired, left=swept.left)
    return rebuilt_count


async def _rebuilt(counting: Awaitable[int]) -> int:
    return await counting
