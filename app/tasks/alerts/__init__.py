"""Alerts operators when tasks fail, by apprise: Slack, Teams, Telegram, mail and many more, each by a URL.

At most one alert is sent per task and minute (`task_stats.alert` claims it first). It says how often the task failed.
A periodic task is reported if it failed twice and has not run successfully since.

Apprise runs in a process of its own for each alert (`apprise_process`). There its plugins cost no worker the 12 MB and
the second of their import, its log lines, which contain the URLs, reach no log, and one that hangs is killed.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlencode, urlsplit

import msgspec
import structlog
from celery import current_app, shared_task

from app.domain.jobs import failed_tasks
from app.tasks import task_stats
from app.tasks.context import TaskContext, worker_runtime
from app.tasks.task_classes import PeriodicTask

log = structlog.get_logger(__name__)

PROGRAM: Final = Path(__file__).with_name("apprise_process.py")
SECONDS: Final = 20.0
"""For one alert to all channels: the start of the process, and apprise's four seconds each to connect and to read."""


class AlertResult(msgspec.Struct, frozen=True):
    """`accepted` and `failed` count channels. `unknown` has the position of each URL that apprise cannot use, with the
    scheme that was probably meant, or nothing."""

    accepted: int = 0
    failed: int = 0
    unknown: dict[int, str] = {}


class AlertChannels:
    """The channels of ALERT_URLS and SLACK_WEBHOOK_URL. Their URLs are secrets and are never logged."""

    def __init__(self, urls: Sequence[str], app_name: str) -> None:
        self._urls = list(urls)
        self._title = f"{app_name}: a background task fails"

    def post(self, text: str) -> None:
        """Sends `text` to all channels, once. Raises OSError if none accepted it."""
        result = _run({"urls": self._urls, "title": self._title, "text": text})
        if result.failed and result.accepted:
            # Not repeated: the other channels would receive it twice.
            log.warning("alert_incomplete", accepted=result.accepted, failed=result.failed)
        if not result.accepted:
            raise OSError("no alert channel accepted the alert")


def open_channels(slack_webhook_url: str, alert_urls: Sequence[str], app_name: str) -> Callable[[str], None] | None:
    """Returns `AlertChannels.post` for all channels, None without one."""
    slack = [from_slack_webhook(slack_webhook_url)] if slack_webhook_url else []
    urls = [*slack, *alert_urls]
    return AlertChannels(urls, app_name).post if urls else None


def from_slack_webhook(url: str) -> str:
    """Returns apprise's URL for an incoming webhook, which takes `{"text": …}`: Slack's, or one that imitates it."""
    parts = urlsplit(url)
    scheme = "jsons" if parts.scheme == "https" else "json"
    left_out = {f":{field}": "" for field in ("version", "title", "type", "attachments")}
    return f"{scheme}://{parts.netloc}{parts.path or '/'}?{urlencode({':message': 'text', **left_out})}"


def problems(urls: Sequence[str]) -> list[str]:
    """Returns a sentence for each URL that apprise cannot use. None of them quotes more than its scheme."""
    if not urls:
        return []
    try:
        unknown = _run({"urls": list(urls)}).unknown
    except OSError as error:
        return [f"the addresses could not be checked: {error}."]
    sentences = []
    for position, near in unknown.items():
        hint = f"did you mean {near}://?" if near else "docs/operations.md shows examples."
        scheme = urls[position].partition("://")[0]
        sentences.append(f"apprise cannot use the address {scheme}://… (number {position + 1}); {hint}")
    return sentences


@shared_task(name=task_stats.ALERT)
def alert(task: str) -> bool:
    """Sends an alert that `task` fails. Returns False if there is no channel or no failure is open."""
    return worker_runtime.run(lambda context: _alert(context, task))


async def _alert(context: TaskContext, task: str) -> bool:
    if context.post_alert is None:
        return False
    async with context.database.transaction() as session:
        failure = await failed_tasks.newest(session, task)
    if failure is None:
        return False
    if failure.times == 1 and isinstance(current_app.tasks.get(task), PeriodicTask):
        return False  # its next run does the same work, and has not failed
    times = f"{failure.times} times since {failure.first_failed_at:%H:%M} UTC"
    context.post_alert(f"⚠ `{task}`: {failure.reason}, {failure.error}, {times}. See `chat tasks failed`.")
    log.info("operators_alerted", failed_task=task)
    return True


def _run(order: dict[str, object]) -> AlertResult:
    try:
        # -I: the program's own folder is not searched for modules. The URLs travel by a pipe, because every account
        # of the machine can read arguments.
        finished = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-I", str(PROGRAM)],
            input=msgspec.json.encode(order),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=SECONDS,
            check=True,
        )
        return msgspec.json.decode(finished.stdout, type=AlertResult)
    except subprocess.SubprocessError as error:
        # Its text would contain what the process wrote.
        raise OSError(f"apprise did not finish ({type(error).__name__})") from None
    except msgspec.DecodeError:
        raise OSError("apprise did not answer") from None
