"""Tasks that misbehave, and a worker that has them: `python -m tests.support.misbehaving_tasks worker …`.

`mended` names a file; once it is there they behave.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

from celery import shared_task
from celery.exceptions import SoftTimeLimitExceeded

from app.cli import main
from app.tasks.context import TaskContext, worker_runtime
from app.tasks.task_classes import PeriodicTask

LIVES = 3
WORDS = "what somebody wrote"


@shared_task(name="chat.upkeep.behaves")
def behaves(ran: str) -> None:
    _ran(ran)


@shared_task(name="chat.upkeep.always_fails", retry_backoff=False, default_retry_delay=0)
def always_fails(ran: str, mended: str) -> None:
    _ran(ran)
    if not Path(mended).exists():
        raise ValueError(WORDS)


@shared_task(name="chat.upkeep.fails_too", retry_backoff=False, default_retry_delay=0)
def fails_too(ran: str) -> None:
    _ran(ran)
    raise LookupError(WORDS)


@shared_task(name="chat.upkeep.comes_again", base=PeriodicTask)
def comes_again(ran: str, mended: str) -> None:
    """As beat publishes: it is not retried, its next run is."""
    _ran(ran)
    if not Path(mended).exists():
        raise LookupError(WORDS)


@shared_task(name="chat.upkeep.hangs", soft_time_limit=1, time_limit=20)
def hangs(ran: str) -> None:
    """Waits on the loop, with a connection to the database in hand."""
    worker_runtime.run(lambda context: _wait(context, ran))


async def _wait(context: TaskContext, ran: str) -> None:
    async with context.database.transaction():
        _ran(ran)
        try:
            await asyncio.sleep(4)
        finally:
            _ran(f"{ran}.interrupted")
    _ran(f"{ran}.went on")


@shared_task(name="chat.upkeep.hangs_for_good", soft_time_limit=1, time_limit=2)
def hangs_for_good(ran: str) -> None:
    """Does not listen to the soft limit."""
    _ran(ran)
    while True:
        try:
            time.sleep(60)
        except SoftTimeLimitExceeded:
            continue


@shared_task(name="chat.upkeep.kills", default_retry_delay=0, max_retries=LIVES - 1)
def kills(ran: str) -> None:
    _ran(ran)
    os.kill(os.getpid(), signal.SIGKILL)


def _ran(ran: str) -> None:
    with Path(ran).open("a") as file:
        file.write(f"{os.getpid()}\n")


if __name__ == "__main__":
    sys.exit(main())
