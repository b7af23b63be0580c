"""Cache upkeep: making caches anew from Postgres, one on demand, the busiest by a sweep. Safe twice."""

from __future__ import annotations

from collections.abc import Awaitable
from uuid import UUID

import structlog
from celery import current_app, shared_task

from app.tasks import task_stats
from app.tasks.base import Round
from app.tasks.context import workshop

log = structlog.get_logger(__name__)

MOST_LOOKED_AT = 500
MOST_REPAIRED = 200
"""In one sweep; what is left is the next one's."""


@shared_task(name="chat.cache.rebuild")
def rebuild(conversation: str) -> int:
    """Rebuild the cache of the conversation with this id; the number of messages it now holds."""
    messages = workshop.run(lambda tools: _rebuilt(tools.rebuild_cache(UUID(conversation))))
    log.info("cache_rebuilt", conversation=conversation, messages=messages)
    return messages


@shared_task(name="chat.cache.sweep", base=Round)
def sweep() -> int:
    """Warm and repair the caches of the busiest conversations; the number made anew."""
    swept = workshop.run(lambda tools: tools.sweep_caches(MOST_LOOKED_AT, MOST_REPAIRED))
    if made := swept.warmed + swept.repaired:
        task_stats.note_upkeep(current_app, "warmed", swept.warmed)
        task_stats.note_upkeep(current_app, "repaired", swept.repaired)
        log.info("caches_swept", warmed=swept.warmed, repaired=swept.repaired, left=swept.left)
    return made


async def _rebuilt(counting: Awaitable[int]) -> int:
    return await counting
