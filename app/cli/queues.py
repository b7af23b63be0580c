"""`chat queues` and `chat tasks`: what waits for workers, who works, and what failed for good."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from typing import Final

from app.cli.verbs import Verbs, load_beside, opened
from app.settings import Settings

MOST_SHOWN: Final = 50


def add(verbs: Verbs) -> None:
    verbs.add("queues", queues, "what waits in the queues, since when, and which workers there are")

    verb = verbs.add("tasks", tasks, "tasks that failed for good")
    verb.add_argument("what", choices=["failed", "retry"], help="list them, or hand one (or all) over again")
    verb.add_argument("id", nargs="?", help="of the one to retry; without it: all")


def queues(asked: argparse.Namespace) -> int:
    from redis import RedisError

    settings = load_beside()
    overview = import_module("app.tasks.overview")
    try:
        report = overview.figures(settings.redis_url).report
    except RedisError as error:
        print(f"chat: the broker is away ({type(error).__name__}).", file=sys.stderr)
        return 1
    print(overview.table(report))
    return 0 if report.workers else 1


def tasks(asked: argparse.Namespace) -> int:
    import asyncio

    from app.domain.errors import ChatError

    if asked.what == "failed":
        for line in asyncio.run(_failed(load_beside())):
            print(line)
        return 0
    try:
        number = asyncio.run(_retry(load_beside(), asked.id))
    except (ChatError, ValueError) as error:
        print(f"chat: {getattr(error, 'detail', 'That is no id.')}", file=sys.stderr)
        return 1
    print(f"Handed over again within ten seconds, by a worker: {number}.")
    return 0


async def _failed(settings: Settings) -> list[str]:
    from app.domain.work import failed

    async with opened(settings) as database, database.transaction() as session:
        page = await failed.listing(session, limit=MOST_SHOWN, cursor=None)
        number = await failed.number(session)
    lines = []
    for one in page.items:
        arguments = ", ".join(map(str, one.arguments))
        again = ", asked for again" if one.asked_at else ""
        lines += [f"{one.id}  {one.failed_at:%Y-%m-%d %H:%M} UTC  {one.task}({arguments})"]
        lines += [f"    {one.reason}: {one.error}; {one.times} times since {one.first_failed_at:%H:%M}{again}"]
    return [*lines, f"{number} failed for good; the newest {len(page.items)} are shown." if lines else "None."]


async def _retry(settings: Settings, which: str | None) -> int:
    from uuid import UUID

    from app.domain.work import failed

    async with opened(settings) as database, database.transaction() as session:
        if which is None:
            return await failed.ask_all_again(session, by=None)
        await failed.ask_again(session, UUID(which), by=None)
        return 1
