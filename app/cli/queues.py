"""`chat live`, `chat queues` and `chat tasks`: what the deployment does, what waits, what failed permanently."""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import TYPE_CHECKING, Final
from uuid import UUID

import rich_click as click

from app.cli import output
from app.cli.commands import FAILED, command, complain, done, family, json_option, load_beside, opened

if TYPE_CHECKING:
    from app.db import Session
    from app.domain.jobs.schemas import FailedTask, FailedTaskPage
    from app.domain.operators.backlog import Backlog
    from app.domain.operators.live_figures import LiveFigures
    from app.settings import Settings

MAX_SHOWN: Final = 50
QUEUES: Final = (
    output.Column("queue", 14),
    output.Column("waiting", 8, right=True),
    output.Column("oldest", 9, right=True),
    output.Column("running", 8, right=True),
)


@command(
    "queues",
    panel="Look",
    help="Show the task queues, workers and beat. The exit code is 1 if one of them or Postgres is missing.",
    examples=["chat queues", "chat queues --json | jq .workers"],
)
@json_option
def queues(as_json: bool) -> int:
    from redis import RedisError
    from redis.exceptions import ResponseError

    settings = load_beside()
    queue_stats = import_module("app.tasks.queue_stats")
    try:
        stats = queue_stats.read_stats(settings.redis_url)
    except RedisError as error:
        what = "accepts no writes" if isinstance(error, ResponseError) else "is unavailable"
        complain(f"The broker {what} ({type(error).__name__}).")
        return FAILED
    backlog = asyncio.run(_backlog(settings))
    if as_json:
        facts = {"beat": stats.beat, "mail_failure": stats.mail_failure, "backlog": backlog}
        output.show_json({"queues": stats.report.queues, "workers": stats.report.workers, **facts})
    else:
        output.show(queue_stats.table(stats, backlog))
    return 0 if queue_stats.is_healthy(stats, backlog) else FAILED


@command(
    "live",
    panel="Look",
    help="Show what the whole deployment does now. The exit code is 1 if Postgres or Redis does not answer.",
    examples=["chat live", "chat live --json | jq .delivery.p99"],
)
@json_option
def live(as_json: bool) -> int:
    found = asyncio.run(_live(load_beside()))
    if as_json:
        output.show_json(found)
    else:
        output.show(_screen(found))
    return 0 if found.complete and found.postgres.up and found.redis.broker_up else FAILED


@family("tasks", panel="Look", help="List or retry tasks that failed permanently.")
def tasks() -> None: ...


@tasks.command(
    "failed",
    help=f"List tasks that failed permanently, the newest {MAX_SHOWN}.",
    examples=["chat tasks failed", "chat tasks failed --json"],
)
@json_option
def failed(as_json: bool) -> int:
    from app.domain.jobs import failed_tasks

    async def listed(session: Session) -> FailedTaskPage:
        return await failed_tasks.listing(session, limit=MAX_SHOWN, cursor=None)

    async def counted(session: Session) -> list[output.Part]:
        page = await listed(session)
        number = await failed_tasks.count_open(session)
        lines = [line for one in page.items for line in _lines(one)]
        return [*lines, f"{number} failed permanently; the newest {len(page.items)} are shown." if lines else "None."]

    if as_json:
        return done(load_beside(), listed, lambda _: "", as_json=True)
    return done(load_beside(), counted, lambda lines: lines)


@tasks.command(
    "retry",
    help="Retry one failed task, or all of them. A worker enqueues them within ten seconds.",
    examples=["chat tasks retry", "chat tasks retry 0199a7b0-7000-7000-8000-00000000002c"],
)
@click.argument("id", required=False, help="The task to retry (default: all).")
@json_option
def retry(id: str | None, as_json: bool) -> int:  # noqa: A002 - the argument's name in the help
    from app.domain.jobs import failed_tasks

    try:
        which = UUID(id) if id else None
    except ValueError:
        complain("This is not a valid id.")
        return FAILED

    async def retried(session: Session) -> dict[str, int]:
        if which is None:
            return {"retried": await failed_tasks.request_all_retries(session, by=None)}
        await failed_tasks.request_retry(session, which, by=None)
        return {"retried": 1}

    def sentence(found: dict[str, int]) -> str:
        return f"Marked for retry: {found['retried']}. A worker retries them within ten seconds."

    return done(load_beside(), retried, sentence, as_json=as_json)


async def _live(settings: Settings) -> LiveFigures:
    from app.domain.operators.backlog import read_backlog
    from app.redis.client import RedisClient
    from app.tasks.queue_stats import BrokerStats
    from app.telemetry.background_metrics import BackgroundMetrics
    from app.telemetry.live_reports import LiveReports

    redis = RedisClient(settings.cache_redis_url)
    async with opened(settings) as database:

        async def backlog() -> Backlog:
            await database.verify()
            return await database.read(read_backlog)

        background = BackgroundMetrics(BrokerStats(settings.redis_url).read_stats, backlog)
        try:
            return await LiveReports(redis, background).figures()
        finally:
            background.stop()
            await redis.close()


def _screen(found: LiveFigures) -> list[output.Part]:
    delivery, cache, postgres = found.delivery, found.cache, found.postgres
    repairs = ", ".join(f"{number:,} {outcome}" for outcome, number in sorted(found.repairs.items()))
    rows = [
        ["api", f"{found.processes:,} processes" + ("" if found.complete else "; Redis, where they report, is silent")],
        ["sockets", f"{found.sockets:,}, {found.frames_per_second:,.1f} frames a second"],
        ["sends", f"{found.sends_per_second:,.1f} a second, {found.throttled:,} throttled"],
        ["delivery", f"p50 {_ms(delivery.p50)}, p99 {_ms(delivery.p99)}, of {delivery.measured:,} measured"],
        ["repairs", repairs or "none"],
        ["cache", "no reads" if cache.share is None else f"{cache.share:.1%} of {cache.reads:,} pages"],
        ["postgres", f"{_up(postgres.up)}; {postgres.in_use} of {postgres.connections} connections are in use"],
        ["redis", f"{_up(found.redis.up)}, the broker {_up(found.redis.broker_up)}; {found.redis.failures:,} failures"],
        ["workers", ", ".join(found.workers or ()) or ("unknown" if found.workers is None else "none")],
        ["beat", "unknown" if found.beat is None else f"seen {found.beat:,.0f} s ago"],
        ["tasks", "unknown" if found.failed_tasks is None else f"{found.failed_tasks:,} failed"],
        ["mails", "unknown" if found.mails is None else f"{found.mails.waiting:,} waiting"],
    ]  # fmt: skip
    parts: list[output.Part] = [output.Table([output.Column("", 9), output.Column("")], rows)]
    if found.queues is not None:
        waiting = [
            [one.name, f"{one.waiting:,}", "–" if one.oldest is None else f"{one.oldest:,.0f} s", f"{one.running:,}"]
            for one in found.queues
        ]
        parts += ["", output.Table(QUEUES, waiting)]
    return [*parts, "", "Rates are of the last ten seconds, counts of the last minute."]


def _ms(milliseconds: float | None) -> str:
    return "–" if milliseconds is None else f"{milliseconds:,.1f} ms"


def _up(up: bool) -> str:
    return "up" if up else "DOWN"


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


COMMANDS = (live, queues, tasks)
