"""`chat status`: what runs, what it depends on and what waits, on one screen. The exit code is 1 if something is wrong.

Each check has a deadline of its own, so that one silent server does not hide the others.
"""

from __future__ import annotations

import asyncio
import http.client
import shutil
import time
from enum import StrEnum
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import msgspec

from app.cli import output
from app.cli.commands import FAILED, command, json_option, load_beside, opened
from app.cli.serve import mail_warnings

if TYPE_CHECKING:
    from app.domain.jobs.schemas import QueueReport, QueueStats
    from app.settings import Settings

API_SECONDS: Final = 3
DATABASE_SECONDS: Final = 5
REDIS_SECONDS: Final = 2
LATE_SECONDS: Final = 30
"""A task that waits longer is late: see docs/operations.md, Queues."""

LEAST_FREE_BYTES: Final = 1_000_000_000
RUNBOOK: Final = "docs/runbook.md"


class Section(StrEnum):
    """The sections of docs/runbook.md, each by its anchor, to which a failed check leads."""

    API = "an-api-process-is-gone"
    BEAT = "beat-is-gone"
    DISK = "a-disk-is-full"
    MAIL = "the-mail-server-refuses"
    POOL = "the-database-pool-is-exhausted"
    POSTGRES = "postgres-is-silent-or-down"
    QUEUE = "a-queue-is-stuck"
    REDIS = "redis-is-unavailable"
    SETTING = "a-setting-is-wrong"
    TASKS = "tasks-fail"
    WORKER = "the-worker-is-gone"


BY_REASON: Final = {"pool": Section.POOL, "postgres": Section.POSTGRES}
"""By the `reason` of /readyz."""


class Check(msgspec.Struct, frozen=True):
    """One line. `facts` is a sentence or two, without secrets; `runbook` is where the cure of a failure stands."""

    name: str
    ok: bool
    facts: str
    runbook: Section


class Status(msgspec.Struct, frozen=True):
    """`queues` is null if the broker does not answer."""

    version: str
    environment: str
    ok: bool
    checks: list[Check]
    queues: QueueReport | None


@command(
    "status",
    panel="Look",
    help="Show on one screen what runs and whether something is wrong. The exit code is 1 if it is.",
    examples=["chat status", "chat status --json | jq '.checks[] | select(.ok | not)'"],
)
@json_option
def status(as_json: bool) -> int:
    settings = load_beside()
    found = read(settings)
    if as_json:
        output.show_json(found)
    else:
        output.show(_screen(found))
    return 0 if found.ok else FAILED


def read(settings: Settings) -> Status:
    """Runs all checks. A server that does not answer is a failed check, never an error."""
    stats, background = _background(settings)
    checks = [_api(settings), *asyncio.run(_database(settings)), _redis("redis", settings.redis_url)]
    if settings.cache_redis_url != settings.redis_url:
        checks.append(_redis("cache redis", settings.cache_redis_url))
    checks += [*background, _mail(settings, stats), *_disk(settings)]
    return Status(
        version=version("chat-backend"),
        environment=settings.environment,
        ok=all(check.ok for check in checks),
        checks=checks,
        queues=stats.report if stats else None,
    )


def _api(settings: Settings) -> Check:
    address = f"http://127.0.0.1:{settings.port}"
    where = address if settings.public_url == address else f"{address}, for clients {settings.public_url}"
    api = http.client.HTTPConnection("127.0.0.1", settings.port, timeout=API_SECONDS)
    try:
        api.request("GET", "/readyz")
        answer = api.getresponse()
        body: dict[str, Any] = msgspec.json.decode(answer.read())
    except (OSError, http.client.HTTPException, msgspec.DecodeError):
        facts = f"{where}: no answer on this machine; is `chat api` running?"
        return Check("api", False, facts, Section.API)
    finally:
        api.close()
    if answer.status != http.client.OK:
        reason = body.get("reason") or answer.status
        section = BY_REASON.get(str(reason), Section.API)
        return Check("api", False, f"{where}: not ready ({reason})", section)
    without = ", ".join(body.get("degraded", []))
    facts = f"{where}: ready" + (f", without {without}" if without else "")
    return Check("api", not without, facts, Section.REDIS)


async def _database(settings: Settings) -> list[Check]:
    from sqlalchemy import text
    from sqlalchemy.exc import ProgrammingError

    from app.db.database_url import parameters
    from app.domain.errors import ChatError
    from app.domain.jobs import failed_tasks

    found = parameters(settings.libpq_url)
    where = f"{found.get('host', 'localhost')}:{found.get('port', 5432)}/{found.get('dbname', '')}"
    try:
        async with asyncio.timeout(DATABASE_SECONDS), opened(settings) as database:
            await database.verify()
            async with database.read_only() as reader:
                number = (await reader.execute(text("SHOW server_version"))).scalar_one()
            async with database.transaction() as session:
                failed = await failed_tasks.count_open(session)
    except (ChatError, TimeoutError):
        facts = f"{where}: does not answer, or does not accept writes"
        return [Check("postgres", False, facts, Section.POSTGRES)]
    except ProgrammingError:  # as when no migration has run
        facts = f"{where}: has no tables of this version; run `chat migrate`"
        return [Check("postgres", False, facts, Section.POSTGRES)]
    tasks = f"{failed:,}; see `chat tasks failed`" if failed else "none"
    return [
        Check("postgres", True, f"{where}: version {number}", Section.POSTGRES),
        Check("failed tasks", not failed, tasks, Section.TASKS),
    ]


def _redis(name: str, url: str) -> Check:
    from redis import Redis, RedisError
    from redis.exceptions import ResponseError

    from app.tasks import task_stats

    section = Section.REDIS

    parts = urlsplit(url)
    where = f"{parts.hostname}:{parts.port or 6379}" if parts.hostname else parts.path
    try:
        with Redis.from_url(url, socket_timeout=REDIS_SECONDS, socket_connect_timeout=REDIS_SECONDS) as client:
            facts = client.info("server")
            task_stats.verify_writes(client)
    except ResponseError as error:
        return Check(name, False, f"{where}: refuses a write ({error})", section)
    except RedisError as error:
        return Check(name, False, f"{where}: does not answer ({type(error).__name__})", section)
    product = str(facts.get("server_name", "redis"))
    known = facts.get(f"{product}_version", facts.get("redis_version"))
    return Check(name, True, f"{where}: {product} {known}", section)


def _background(settings: Settings) -> tuple[QueueStats | None, list[Check]]:
    """Workers, beat and queues, by what they left in the broker."""
    from redis import RedisError
    from redis.exceptions import ResponseError

    from app.local import supervisord
    from app.tasks import queue_stats

    try:
        stats = queue_stats.read_stats(settings.redis_url)
    except RedisError as error:
        why = "refuses writes" if isinstance(error, ResponseError) else "does not answer"
        return None, [Check("worker", False, f"unknown: Redis {why}", Section.REDIS)]
    report = stats.report
    workers = ", ".join(report.workers) or "none seen in the last 15 s; is `chat worker` running?"
    late = [
        f"{queue.name} waits for {queue.oldest:,.0f} s"
        for queue in report.queues
        if queue.oldest is not None and queue.oldest > LATE_SECONDS
    ]
    waiting = sum(queue.waiting for queue in report.queues)
    beats = stats.beat is not None and stats.beat <= queue_stats.BEAT_SECONDS
    seen = "no sign yet" if stats.beat is None else f"seen {stats.beat:,.0f} s ago"
    if not beats and (age := supervisord.seconds_since_start(settings.data_dir)) is not None:
        # The banner of `chat up` does not wait for beat, whose last sign may be from before a pause.
        beats, seen = age <= queue_stats.BEAT_SECONDS, "starting" if age <= queue_stats.BEAT_SECONDS else seen
    return stats, [
        Check("worker", bool(report.workers), workers, Section.WORKER),
        Check("beat", beats, seen if beats else f"{seen}; is `chat beat` running?", Section.BEAT),
        Check(
            "queues",
            not late,
            "; ".join(late) or f"{waiting:,} waiting, none for more than {LATE_SECONDS} s",
            Section.QUEUE,
        ),
    ]


def _mail(settings: Settings, stats: QueueStats | None) -> Check:
    if warnings := mail_warnings(settings):
        return Check("mail", False, " ".join(warnings), Section.SETTING)
    section = Section.MAIL
    if not settings.smtp_url:
        return Check("mail", True, f"files in {settings.data_dir / 'mail'}; SMTP_URL is not set", section)
    parts = urlsplit(settings.smtp_url)
    where = f"{parts.hostname}" + (f":{parts.port}" if parts.port else "")
    if stats and (failure := stats.mail_failure):
        facts = f"{where}: failed {time.time() - failure.at:,.0f} s ago: {failure.why}"
        return Check("mail", False, facts, section)
    if stats and stats.mails_refused:
        facts = f"{where}: {stats.mails_refused}; see `chat mails --state refused`"
        return Check("mail", False, facts, section)
    return Check("mail", True, where, section)


def _disk(settings: Settings) -> list[Check]:
    """The disk of the embedded servers or, without them, of the log. A container has neither: its log leaves through
    the console. The disk of a Postgres elsewhere is not visible from here."""
    if (settings.data_dir / "postgres").exists():
        folder, what = settings.data_dir, "with Postgres"
    elif settings.log_file is not None:
        folder, what = settings.log_file.absolute().parent, "with the log, not with Postgres"
    else:
        return []
    at = next(one for one in (folder.absolute(), *folder.absolute().parents) if one.exists())
    usage = shutil.disk_usage(at)
    facts = f"{usage.free / 1e9:,.1f} GB free of {usage.total / 1e9:,.1f} in {folder}, {what}"
    return [Check("disk", usage.free >= LEAST_FREE_BYTES, facts, Section.DISK)]


def _screen(found: Status) -> list[output.Part]:
    columns = [output.Column("", 12), output.Column("", 5), output.Column("")]
    rows = [[check.name, output.OK if check.ok else output.WRONG, check.facts] for check in found.checks]
    sections = dict.fromkeys(f"{RUNBOOK}#{check.runbook}" for check in found.checks if not check.ok)
    end = ["Something is wrong. What to do:", *sections] if sections else ["Everything is well."]
    return [f"chat {found.version}, {found.environment}", "", output.Table(columns, rows), "", *end]


COMMANDS = (status,)
