"""`chat queues` and `chat tasks`: queue lengths, running workers, and tasks that failed permanently."""

from __future__ import annotations

import argparse
import asyncio
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Final
from uuid import UUID

from app.cli.commands import CommandLine, done, load_beside, opened

if TYPE_CHECKING:
    from app.db import Session
    from app.domain.jobs.schemas import FailedTask
    from app.domain.operators.backlog import Backlog
    from app.settings import Settings

MAX_SHOWN: Final = 50


def add(command_line: CommandLine) -> None:
    command_line.add("queues", queues, "show the task queues and the workers")

    command = command_line.add("tasks", tasks, "list or retry tasks that failed permanently")
    command.add_argument("what", choices=["failed", "retry"], help="list them, or retry one or all")
    command.add_argument("id", nargs="?", help="id of the task to retry (default: all)")


def queues(arguments: argparse.Namespace) -> int:
    from redis import RedisError

    settings = load_beside()
    queue_stats = import_module("app.tasks.queue_stats")
    try:
        stats = queue_stats.read_stats(settings.redis_url)
    except RedisError as error:
        print(f"chat: The broker is unavailable ({type(error).__name__}).", file=sys.stderr)
        return 1
    backlog = asyncio.run(_backlog(settings))
    print(queue_stats.table(stats, backlog))
    return 0 if queue_stats.is_healthy(stats, backlog) else 1


def tasks(arguments: argparse.Namespace) -> int:
    from app.domain.jobs import failed_tasks

    async def listed(session: Session) -> list[str]:
        page = await failed_tasks.listing(session, limit=MAX_SHOWN, cursor=None)
        number = await failed_tasks.count_open(session)
        lines = [line for one in page.items for line in _lines(one)]
        return [*lines, f"{number} failed permanently; the newest {len(page.items)} are shown." if lines else "None."]

    async def retried(session: Session) -> int:
        if which is None:
            return await failed_tasks.request_all_retries(session, by=None)
        await failed_tasks.request_retry(session, which, by=None)
        return 1

    try:
        which = UUID(arguments.id) if arguments.id else None
    except ValueError:
        print("chat: This is not a valid id.", file=sys.stderr)
        return 1
    if arguments.what == "failed":
        return done(load_beside(), listed, "\n".join)
    return done(
        load_beside(), retried, lambda number: f"Marked for retry: {number}. A worker retries them within ten seconds."
    )


async def _backlog(settings: Settings) -> Backlog | None:
    from app.domain.errors import ChatError
    from app.domain.operators.backlog import read_backlog

    try:
        async with opened(settings) as database:
            await database.verify()
            return await database.read(read_backlog)
    except ChatError:
        return None


def _lines(one: FailedTask) -> list[str]:
    arguments = ", ".join(map(str, one.arguments))
    again = ", retry requested" if one.asked_at else ""
    return [
        f"{one.id}  {one.failed_at:%Y-%m-%d %H:%M} UTC  {one.task}({arguments})",
        f"    {one.reason}: {one.error}; {one.times} times since {one.first_failed_at:%H:%M}{again}",
    ]
