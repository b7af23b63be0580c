"""Every few seconds: notifies members of unread messages in the app and queues the digest mails that are due.

Concurrent sweeps are safe: row locks keep them apart. If a sweep is lost or killed, the next one starts at the position
stored last.
"""

from __future__ import annotations

import time
from uuid import UUID

import structlog
from celery import shared_task

from app.domain.events import FollowUp
from app.domain.notifications import decisions, digests
from app.domain.notifications.decisions import ConversationPosition
from app.domain.notifications.in_app_notifications import NewNotice
from app.tasks.context import TaskContext, worker_runtime
from app.tasks.mail import send_mail
from app.tasks.task_classes import PeriodicTask

log = structlog.get_logger(__name__)

TURN_SECONDS = 40.0
"""Below the task's time limit. The next sweep does the remaining work."""

CONCURRENT_CONVERSATIONS = 200


@shared_task(name="chat.notifications.decide", base=PeriodicTask)
def decide() -> int:
    """Notifies members with unread messages and queues due mails. Returns the number of people notified in the app."""
    return worker_runtime.run(_sweep)


def enqueue_mails(follow_ups: list[FollowUp]) -> None:
    """Publishes the follow-ups of this worker's transactions: mails. The mail sweep finds any that are lost here."""
    for follow_up in follow_ups:
        if follow_up.kind == "mail":
            send_mail.apply_async((str(follow_up.id),))


async def _sweep(context: TaskContext) -> int:
    end = time.monotonic() + TURN_SECONDS
    notified = await _notify(context, end)
    mails = await _queue_mails(context, end)
    if notified or mails:
        log.info("notified", people=notified, mails=mails)
    return notified


async def _notify(context: TaskContext, end: float) -> int:
    notices, notified = context.notices, 0
    async with context.database.transaction() as session:
        since, following, now = await decisions.bounds(session, notices.after)
    position: ConversationPosition | None = None
    is_last = False
    while not is_last and time.monotonic() < end:
        async with context.database.transaction() as session:
            positions = await decisions.moved(session, since, now, position)
        is_last = not positions
        for position in positions:
            notified += len(await decide_one(context, position[1]))
            if time.monotonic() >= end:
                break
    async with context.database.transaction() as session:
        await decisions.decided(session, following if is_last or position is None else min(following, position[0]))
    return notified


async def decide_one(context: TaskContext, conversation: UUID) -> list[NewNotice]:
    """Decides for one conversation and delivers its notifications. Returns them."""
    async with context.database.transaction() as session:
        notified = await decisions.decide(session, conversation, context.notices.after, context.notices.quiet)
    for start in range(0, len(notified), CONCURRENT_CONVERSATIONS):
        await context.notices.deliver(notified[start : start + CONCURRENT_CONVERSATIONS])
    return notified


async def _queue_mails(context: TaskContext, end: float) -> int:
    queued = 0
    while time.monotonic() < end:
        async with context.database.transaction() as session:
            keys = await digests.due(session)
        if not keys:
            break
        online_users = await context.notices.online({user for _, user in keys})
        async with context.database.transaction() as session:
            decided_count, mails = await digests.decide(session, keys, online_users)
        queued += mails
        if not decided_count:
            break  # another sweep holds the locks
    return queued
