"""Sends mails: claim and commit, then transmit, then settle. Safe to run twice, because only one claim succeeds."""

from __future__ import annotations

import asyncio
from uuid import UUID

import structlog
from celery import current_app, shared_task

from app.db import Session
from app.domain.accounts.account_mail import MailContent, compose
from app.domain.broadcasts import broadcast_mail
from app.domain.mails import outbox
from app.domain.mails.outbox import FAILED, REFUSED, UNKNOWN, Claimed
from app.domain.notifications import digest_content, digests
from app.tasks import task_stats
from app.tasks.context import TaskContext, worker_runtime
from app.tasks.mail_transport import AmbiguousFailure, PermanentFailure, TemporaryFailure
from app.tasks.task_classes import PeriodicTask

log = structlog.get_logger(__name__)


@shared_task(name="chat.notifications.mail")
def send_mail(mail: str) -> str:
    """Sends the mail with this id if it is due and unclaimed. Returns the outcome."""
    return worker_runtime.run(lambda context: _send(context, UUID(mail)))


@shared_task(name="chat.notifications.overlooked", base=PeriodicTask)
def send_overlooked() -> int:
    """Enqueues mails that were postponed or whose follow-up task was lost. Returns their number."""
    mails = worker_runtime.run(_overlooked)
    for mail in mails:
        send_mail.apply_async((str(mail),))
    return len(mails)


async def _send(context: TaskContext, mail: UUID) -> str:
    async with context.database.transaction() as session:
        claimed = await outbox.claim(session, mail)
        if claimed is None:
            return "not due"
        content = await _content_of(context, session, claimed)
        if isinstance(content, str):
            await _settle(session, claimed, content)
            log.info("mail", mail=str(mail), kind=claimed.kind, outcome=content)
            return content
    # Committed. A crash after this point leaves a claim, so the mail is never sent twice.
    outcome, why = await asyncio.to_thread(_transmit, context, claimed, content)
    task_stats.count_mail(current_app, outcome or "postponed", why)
    log.info("mail", mail=str(mail), kind=claimed.kind, template=content.template, outcome=outcome or "postponed")
    async with context.database.transaction() as session:
        if outcome is not None:
            await _settle(session, claimed, outcome)
        elif not await outbox.postpone(session, claimed):
            await digests.record_mail_outcome(session, mail, FAILED)
            log.error("mail_given_up", mail=str(mail), kind=claimed.kind)
            task_stats.count_mail(current_app, FAILED)
    return outcome or "postponed"


async def _content_of(context: TaskContext, session: Session, claimed: Claimed) -> MailContent | str:
    if claimed.kind == "unread":
        return await digest_content.compose(session, claimed, context.notices.unsubscribe_tokens)
    if claimed.kind == "broadcast":
        return await broadcast_mail.compose(session, claimed)
    return await compose(session, claimed)


async def _settle(session: Session, claimed: Claimed, outcome: str) -> None:
    await outbox.settle(session, claimed.id, outcome)
    if claimed.kind == "unread":
        await digests.record_mail_outcome(session, claimed.id, outcome)


def _transmit(context: TaskContext, claimed: Claimed, content: MailContent) -> tuple[str | None, str | None]:
    """Returns the outcome, None if the mail is to be sent later, and then why."""
    try:
        return context.transport.send(context.renderer.write(content, claimed.id, posted_at=claimed.posted_at)), None
    except TemporaryFailure as why:
        log.warning("mail_postponed", mail=str(claimed.id), kind=claimed.kind, why=str(why))
        return None, str(why)
    except AmbiguousFailure as why:
        log.error("mail_unknown", mail=str(claimed.id), kind=claimed.kind, why=str(why))
        return UNKNOWN, None
    except PermanentFailure as why:
        log.warning("mail_refused", mail=str(claimed.id), kind=claimed.kind, why=str(why))
        return REFUSED, None


async def _overlooked(context: TaskContext) -> list[UUID]:
    async with context.database.transaction() as session:
        return await outbox.overdue(session)
