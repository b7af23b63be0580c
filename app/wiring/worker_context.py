"""Assembles what the tasks of a worker process use: database, cache, mails, notifications, alerts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import partial

from app.db import Database, open_engine
from app.domain.notifications.in_app_notifications import NewNotice
from app.domain.notifications.unsubscribe import UnsubscribeTokens
from app.domain.throttling.usage_counts import Subjects
from app.realtime.bus.bus import Bus
from app.realtime.bus.ephemeral_events import Notice
from app.realtime.frames.frame_encoder import encode_json, notification_frame
from app.realtime.presence import find_online
from app.redis.client import RedisClient
from app.settings import Settings
from app.store.cache_rebuild import Rebuilder
from app.store.page_cache import PageCache
from app.tasks import notifications as notification_tasks
from app.tasks.alerts import open_channels
from app.tasks.context import NoticeSettings, TaskContext
from app.tasks.letters import templates
from app.tasks.letters.renderer import MailRenderer, MailStyle
from app.tasks.mail_transport import open_transport
from app.throttling.usage_mover import UsageMover


def open_task_context(settings: Settings) -> TaskContext:
    """Returns the task context of a worker process. Call it in that process, after the fork."""
    redis_client = RedisClient(settings.cache_redis_url, connections=2)
    cache = PageCache(max_messages=settings.cache_messages)
    bus = Bus(redis_client, settings.cache_redis_url, cache)
    database = Database(open_engine(settings.libpq_url, pool_size=2), bus.publish, notification_tasks.enqueue_mails)
    rebuilder = Rebuilder(database, redis_client, cache)

    async def deliver(notices: Sequence[NewNotice]) -> None:
        frames = [encode_json(notification_frame(notice.notification)) for notice in notices]
        users = [notice.user for notice in notices]
        await bus.publish([Notice(users=(user,), frame=frame) for user, frame in zip(users, frames, strict=True)])

    return TaskContext(
        database=database,
        rebuild_cache=rebuilder.rebuild,
        sweep_caches=rebuilder.sweep,
        transport=open_transport(settings.smtp_url, settings.data_dir / "mail"),
        renderer=MailRenderer(
            settings.public_url,
            settings.mail_from,
            MailStyle(
                app_name=settings.app_name,
                frontend_url=settings.frontend_url,
                language=settings.mail_language,
                replacements=templates.replacements(settings.mail_templates),
            ),
        ),
        post_alert=open_channels(settings.slack_webhook_url, settings.alert_urls, settings.app_name),
        notices=NoticeSettings(
            after=timedelta(seconds=settings.notify_after_seconds),
            quiet=timedelta(minutes=settings.notify_quiet_minutes),
            online=partial(find_online, redis_client),
            deliver=deliver,
            unsubscribe_tokens=UnsubscribeTokens(settings.secret_key, settings.secret_key_previous),
        ),
        audit=timedelta(days=settings.audit_days),
        usage_mover=UsageMover(redis_client),
        subjects=Subjects(settings.secret_key),
    )
