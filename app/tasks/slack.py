"""Alerts operators in Slack when tasks fail. Without SLACK_WEBHOOK_URL no alert is sent.

At most one message is sent per task and minute (`task_stats.alert` claims it first). It says how often the task failed.
A periodic task is reported if it failed twice and has not run successfully since.
"""

from __future__ import annotations

from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Final
from urllib.parse import urlsplit

import msgspec
import structlog
from celery import current_app, shared_task

from app.domain.jobs import failed_tasks
from app.tasks import task_stats
from app.tasks.base import PeriodicTask
from app.tasks.context import TaskContext, worker_runtime

log = structlog.get_logger(__name__)

WEBHOOK_TIMEOUT_SECONDS: Final = 5.0
SUCCESS: Final = 200


class SlackWebhook:
    """An incoming webhook. Its URL is a secret and is never logged."""

    def __init__(self, url: str) -> None:
        self._url = url

    def post(self, text: str) -> None:
        """Posts `text`. Raises OSError if Slack did not accept it."""
        parts = urlsplit(self._url)
        connection_class = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        connection = connection_class(parts.hostname or "", parts.port, timeout=WEBHOOK_TIMEOUT_SECONDS)
        try:
            body = msgspec.json.encode({"text": text})
            connection.request("POST", parts.path or "/", body, {"Content-Type": "application/json"})
            status = connection.getresponse().status
        except HTTPException as error:
            raise OSError(f"Slack answered with {type(error).__name__}") from None
        finally:
            connection.close()
        if status != SUCCESS:
            raise OSError(f"Slack answered {status}")


@shared_task(name=task_stats.ALERT)
def alert(task: str) -> bool:
    """Sends an alert that `task` fails. Returns False if Slack is not configured or no failure is open."""
    return worker_runtime.run(lambda context: _alert(context, task))


async def _alert(context: TaskContext, task: str) -> bool:
    if context.post_to_slack is None:
        return False
    async with context.database.transaction() as session:
        failure = await failed_tasks.newest(session, task)
    if failure is None:
        return False
    if failure.times == 1 and isinstance(current_app.tasks.get(task), PeriodicTask):
        return False  # its next run does the same work, and has not failed
    times = f"{failure.times} times since {failure.first_failed_at:%H:%M} UTC"
    context.post_to_slack(f":warning: `{task}`: {failure.reason}, {failure.error}, {times}. See `chat tasks failed`.")
    log.info("operators_alerted", failed_task=task)
    return True
