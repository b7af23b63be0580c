"""Sweeping away what has expired (tickets, tokens, logins, mails …), and handing failed tasks over again."""

from __future__ import annotations

import structlog
from celery import current_app, shared_task

from app.domain.audit import trail
from app.domain.broadcasts import mailing
from app.domain.mails import outbox
from app.domain.notifications import inbox
from app.domain.throttling import policies
from app.domain.users import expiry
from app.domain.work import failed
from app.tasks.trying import Round
from app.tasks.workshop import Tools, workshop

log = structlog.get_logger(__name__)

MOST_AGAIN = 200


@shared_task(name="chat.upkeep.expire", base=Round)
def expire() -> int:
    """Delete what is over; the number of rows."""
    return workshop.run(_expire)


@shared_task(name="chat.upkeep.run_again", base=Round)
def run_again() -> int:
    """Hand over again what operators asked for; how many tasks."""
    return workshop.run(_run_again)


async def _run_again(tools: Tools) -> int:
    async with tools.database.transaction() as session:
        again = await failed.asked(session, MOST_AGAIN)
        for one in again:
            # Handed over before it is written down: if we die in between it runs twice, which tasks are made for.
            current_app.tasks[one.task].apply_async(tuple(one.arguments))
        await failed.handed_over(session, [one.id for one in again])
    if again:
        log.info("handed_over_again", tasks=len(again))
    return len(again)


async def _expire(tools: Tools) -> int:
    async with tools.database.transaction() as session:
        gone = await expiry.sweep(session) + await outbox.sweep(session) + await inbox.sweep(session)
        gone += await failed.sweep(session) + await policies.sweep(session)
        gone += await trail.sweep(session, tools.audit) + await mailing.sweep(session)
    if gone:
        log.info("expired", rows=gone)
    return gone
