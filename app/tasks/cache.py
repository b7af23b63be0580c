"""Cache upkeep: making one conversation's cache anew from Postgres. Safe twice, and beside live writes."""

from __future__ import annotations

from collections.abc import Awaitable
from uuid import UUID

import structlog
from celery import shared_task

from app.tasks.workshop import workshop

log = structlog.get_logger(__name__)


@shared_task(name="chat.cache.rebuild")
def rebuild(conversation: str) -> int:
    """Rebuild the cache of the conversation with this id; the number of messages it now holds."""
    messages = workshop.run(lambda tools: _rebuilt(tools.rebuild_cache(UUID(conversation))))
    log.info("cache_rebuilt", conversation=conversation, messages=messages)
    return messages


async def _rebuilt(counting: Awaitable[int]) -> int:
    return await counting
