"""Propagates new names to all conversations of a user, and removes users with closed accounts from their groups."""

from __future__ import annotations

import time
from uuid import UUID

import structlog
from celery import Task, shared_task

from app.domain.conversations import name_changes
from app.tasks.context import TaskContext, worker_runtime
from app.tasks.task_classes import PeriodicTask

log = structlog.get_logger(__name__)

TURN_SECONDS = 5.0
"""Then other tasks have their turn. The rest follows in another task."""


@shared_task(name="chat.upkeep.tell_person", bind=True)
def publish_profile_change(self: Task, person: str) -> int:
    """Updates conversations from the position in the user's row on, unless another task does. Returns their number."""
    again = bool(self.request.retries)
    published, done = worker_runtime.run(lambda context: _publish(context, UUID(person), again=again))
    if published:
        log.info("profile_change_published", person=person, conversations=published, done=done)
    if not done:
        publish_profile_change.apply_async((person,))
    return published


@shared_task(name="chat.upkeep.tell_people", base=PeriodicTask)
def publish_lost_profile_changes() -> int:
    """Enqueues the users whose follow-up task was lost. Returns their number."""
    users = worker_runtime.run(_users_with_pending_names)
    for person in users:
        publish_profile_change.apply_async((str(person),))
    return len(users)


async def _publish(context: TaskContext, person: UUID, *, again: bool) -> tuple[int, bool]:
    end, published = time.monotonic() + TURN_SECONDS, 0
    async with context.database.transaction() as session:
        if not await name_changes.begin_propagation(session, person, again=again):
            return 0, True
    while time.monotonic() < end:
        async with context.database.transaction() as session:
            if not await name_changes.propagate_next(session, person):
                return published, True
        published += 1
    async with context.database.transaction() as session:
        await name_changes.release_propagation(session, person)
    return published, False


async def _users_with_pending_names(context: TaskContext) -> list[UUID]:
    async with context.database.transaction() as session:
        return await name_changes.users_with_pending_names(session)
