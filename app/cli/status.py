"""`chat status`: what runs, what it depends on and what waits, on one screen. The exit code is 1 if something is wrong.

Each check has a deadline of its own, so that one silent server does not hide the others.
"""

from __future__ import annotations

import asyncio
import http.client
import shutil
import time
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


class Check(msgspec.Struct, frozen=True):
    """One line. `facts` is a sentence or two, without secrets."""

    name: str
    ok: bool
    facts: str


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
    checks += [*background, _mail(settings, stats), _disk(settings)]
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
        return Check("api", False, f"{where}: no answer on this machine; is `chat api` running?")
    finally:
        api.close()
    if answer.status != http.client.OK:
        return Check("api", False, f"{where}: not ready ({body.get('reason') or answer.status})")
    without = ", ".join(body.get("degraded", []))
    return Check("api", not without, f"{where}: ready" + (f", without {without}" if without else ""))


async def _database(settings: Settings) -> list[Check]:
    from sqlalchemy import text

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
        return [Check("postgres", False, f"{where}: does not answer, or does not accept writes")]
    return [
        Check("postgres", True, f"{where}: version {number}"),
        Check("failed tasks", not failed, f"{failed:,}; see `chat tasks failed`" if failed else "none"),
    ]


def _redis(name: str, url: str) -> Check:
    from redis import Redis, RedisError

    parts = urlsplit(url)
    where = f"{parts.hostname}:{parts.port or 6379}" if parts.hostname else parts.path
    try:
        with Redis.from_url(url, socket_timeout=REDIS_SECONDS, socket_connect_timeout=REDIS_SECONDS) as client:
            facts = client.info("server")
    except RedisError as error:
        return Check(name, False, f"{where}: does not answer ({type(error).__name__})")
    product = str(facts.get("server_name", "redis"))
    return Check(name, True, f"{where}: {product} {facts.get(f'{product}_version', facts.get('redis_version'))}")


def _background(settings: Settings) -> tuple[QueueStats | None, list[Check]]:
    """Workers, beat and queues, by what they left in the broker."""
    from redis import RedisError

    from app.tasks import queue_stats

    try:
        stats = queue_stats.read_stats(settings.redis_url)
    except RedisError:
        return None, [Check("worker", False, "unknown: Redis does not answer")]
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
    return stats, [
        Check("worker", bool(report.workers), workers),
        Check("beat", beats, seen if beats else f"{seen}; is `chat beat` running?"),
        Check("queues", not late, "; ".join(late) or f"{waiting:,} waiting, none for more than {LATE_SECONDS} s"),
    ]


def _mail(settings: Settings, stats: QueueStats | None) -> Check:
    if warnings := mail_warnings(settings):
        return Check("mail", False, " ".join(warnings))
    if not settings.smtp_url:
        return Check("mail", True, f"files in {settings.data_dir / 'mail'}; SMTP_URL is not set")
    parts = urlsplit(settings.smtp_url)
    where = f"{parts.hostname}" + (f":{parts.port}" if parts.port else "")
    if stats and (failure := stats.mail_failure):
        return Check("mail", False, f"{where}: failed {time.time() - failure.at:,.0f} s ago: {failure.why}")
    return Check("mail", True, where)


def _disk(settings: Settings) -> Check:
    folder = settings.data_dir if settings.data_dir.exists() else settings.data_dir.absolute().anchor
    usage = shutil.disk_usage(folder)
    facts = f"{usage.free / 1e9:,.1f} GB free of {usage.total / 1e9:,.1f} in DATA_DIR ({settings.data_dir})"
    return Check("disk", usage.free >= LEAST_FREE_BYTES, facts)


def _screen(found: Status) -> list[output.Part]:
    columns = [output.Column("", 12), output.Column("", 5), output.Column("")]
    rows = [[check.name, output.OK if check.ok else output.WRONG, check.facts] for check in found.checks]
    end = "Everything is well." if found.ok else "Something is wrong; docs/runbook.md says what to do."
    return [f"chat {found.version}, {found.environment}", "", output.Table(columns, rows), "", end]


COMMANDS = (status,)
