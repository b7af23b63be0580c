"""Verbs that run until a stop signal: `up`, `api`, `worker`, `beat`, `flower`."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import nullcontext
from importlib import import_module
from typing import TYPE_CHECKING, Final, NoReturn

import rich_click as click

from app.cli import output
from app.cli.commands import FAILED, command, load_beside, refused
from app.server.limits import KEEP_ALIVE_SECONDS
from app.settings import DEFAULT_SENDER, Settings, SettingsRefused, load, local_start, share_metrics, start_warnings
from app.settings.data_dir import create_log_directory

if TYPE_CHECKING:
    from celery import Celery
    from litestar import Litestar

GRACE_SECONDS: Final = 12  # from SIGTERM to the end of the last request; the whole shutdown may take 20
NOTICE_SECONDS: Final = 1.0  # part of the grace period, in which load balancers notice the shutdown
MAX_FRAME_BYTES: Final = 128 * 1024
RESTART_SECONDS: Final = 2.0
FLOWER_PORT: Final = 5555
FLOWER_TASKS: Final = 10_000  # newest tasks kept in memory


host_option = click.option("--host", default="", help="Address to listen on (127.0.0.1, in production 0.0.0.0).")


@command(
    "up",
    panel="Run",
    help="Run everything on this machine: servers, migrations, API, worker, beat.",
    examples=["chat up", "PORT=8001 DATA_DIR=.data/second chat up"],
)
def up() -> int:
    from app.local import up as supervisor

    return supervisor.run(_alerting(_usable(load(embedded=True))))


@command(
    "api",
    panel="Run",
    help="Run the API and its WebSocket endpoint.",
    examples=["chat api", "chat api --host 0.0.0.0 --notice 5"],
)
@host_option
@click.option(
    "--grace",
    type=int,
    default=GRACE_SECONDS,
    show_default=True,
    help="Seconds to finish running requests after a stop signal.",
)
@click.option(
    "--notice",
    type=float,
    default=NOTICE_SECONDS,
    show_default=True,
    help="Of these, seconds to keep serving while /readyz returns 503, so that load balancers stop sending requests.",
)
def api(host: str, grace: int, notice: float) -> int:
    from app.server import web_server
    from app.telemetry import shared_metrics

    settings = _usable(load())
    if refused(settings):
        return FAILED
    _wait_until_plugged(settings)
    config = web_server.Config(
        "app.cli.serve:application",
        factory=True,
        host=_address(host, settings),
        port=settings.port,
        workers=settings.web_concurrency,
        loop="uvloop",
        http="app.server.http_protocol:RequestProtocol",  # httptools, bounded
        ws="app.server.websocket_protocol:SocketProtocol",  # sansio, with features that ASGI cannot express
        ws_per_message_deflate=False,
        ws_max_size=MAX_FRAME_BYTES,
        timeout_graceful_shutdown=grace,
        notice=min(notice, grace),
        # Behind proxies, all clients share the addresses of the proxies.
        per_address=None if settings.trusted_proxy_hops else settings.connections_per_address,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        access_log=False,  # it would log the sockets' query strings, which hold tokens
        log_config=None,
        proxy_headers=False,  # uvicorn trusts addresses forged by clients; TRUSTED_PROXY_HOPS counts from our side
        server_header=False,
    )
    with shared_metrics.directory() if settings.web_concurrency > 1 else nullcontext() as directory:
        if directory is not None:
            share_metrics(directory)
        return web_server.run(config)


def application() -> Litestar:
    """Creates the application in the process that serves it. With WEB_CONCURRENCY, each process creates its own."""
    import gc

    from app import telemetry

    output.prepare()
    settings = load()
    telemetry.start(settings, process="api")
    application: Litestar = import_module("app.main").create_app(settings)
    # Objects created so far are permanent, so the collector need not scan them. A request creates a thousand
    # short-lived objects, so the default threshold of 700 would start a collection on nearly every request.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    return application


@command(
    "worker", panel="Run", help="Run a background worker.", examples=["chat worker", "chat worker --concurrency 8"]
)
@click.option("--concurrency", type=int, default=2, show_default=True, help="Concurrent tasks.")
def worker(concurrency: int) -> int:
    import warnings

    import structlog

    from app import telemetry

    settings = _alerting(_usable(load()))
    if refused(settings):
        return FAILED
    telemetry.start_celery(settings, process="worker")
    for sentence in mail_warnings(settings):
        structlog.get_logger(__name__).warning("mail_settings", why=sentence)
    # Celery warns against root because of pickle. This worker reads JSON only, and may have no other account.
    warnings.filterwarnings("ignore", message=r"(?s).*superuser privileges")
    celery().worker_main(["--quiet", "worker", f"--concurrency={concurrency}", "--without-gossip", "--without-mingle"])
    # Celery's signal handlers would now only record a stop request. A signal before this line was recorded and is
    # checked below; a signal after it ends the process.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    if not _is_stopping():
        _restart()
    return 0


def mail_warnings(settings: Settings) -> list[str]:
    """Returns a sentence for each setting that keeps mails from arriving in production. They are warnings at startup,
    not errors: the chat works without mails."""
    if not settings.is_production:
        return []
    if not settings.smtp_url:
        return ["SMTP_URL is not set: mails, with the tokens in them, become files in DATA_DIR/mail and are not sent."]
    if settings.mail_from == DEFAULT_SENDER:
        return [f"MAIL_FROM is not set: mails come from {DEFAULT_SENDER}, which most mail servers refuse."]
    return []


def _is_stopping() -> bool:
    from celery.worker import state

    # Each value may be an exit code, and 0 is one.
    return any(flag is not None and flag is not False for flag in (state.should_stop, state.should_terminate))


def _restart() -> NoReturn:
    """Replaces this process with a new worker. Celery stops after an unexpected error, such as one from its Redis
    client when Redis goes away at the wrong moment, and its exit code does not show it. No supervisor is needed."""
    import structlog

    structlog.get_logger(__name__).error("worker_begins_anew", seconds=RESTART_SECONDS)
    time.sleep(RESTART_SECONDS)
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - our own command line


@command("beat", panel="Run", help="Run the scheduler of periodic tasks.", examples=["chat beat"])
def beat() -> None:
    from app import telemetry

    telemetry.start_celery(_usable(load()), process="beat")
    # The schedule is not persisted: every periodic effect has a unique key, and a killed beat leaves no broken file.
    celery().start(["--quiet", "beat", "--pidfile="])


@command(
    "flower",
    panel="Run",
    help="Show the task queues in a browser, protected by FLOWER_BASIC_AUTH.",
    examples=["FLOWER_BASIC_AUTH=ada:a-long-password chat flower --port 5556"],
)
@host_option
@click.option("--port", type=int, default=FLOWER_PORT, show_default=True, help="Port to listen on.")
def flower(host: str, port: int) -> int:
    from app import telemetry

    settings = _usable(load_beside())
    if not settings.flower_basic_auth:
        raise SettingsRefused(["FLOWER_BASIC_AUTH: not set; it must protect the queues with a password."])
    telemetry.start_celery(settings, process="flower")
    import_module("flower.options")
    options = import_module("tornado.options").options
    # Set here rather than as arguments: every account on the machine can read those.
    options.basic_auth = [settings.flower_basic_auth]
    options.address = _address(host, settings)
    options.port = port
    options.read_only = True  # operators act through `chat tasks`
    options.max_tasks = FLOWER_TASKS
    vars(import_module("flower.views"))["Broker"] = import_module("app.tasks.broker.flower_broker").Queues
    # Flower serves /metrics without a password; the API's /metrics contains more.
    urls = import_module("flower.urls")
    urls.handlers.remove(("/metrics", urls.monitor.Metrics))
    print(f"Flower: http://127.0.0.1:{port}", flush=True)
    import_module("app.wiring").make_celery(settings).start(["--quiet", "flower"])
    return 0


def _usable(settings: Settings) -> Settings:
    """Returns `settings` after printing their warnings. Raises SettingsRefused if the log cannot be written, or if a
    Redis server they name responds but can never serve the chat."""
    from app.tasks.broker import redis_url_check

    create_log_directory(settings)
    named = {settings.cache_redis_url: "CACHE_REDIS_URL", settings.redis_url: "REDIS_URL"}
    found = {name: redis_url_check.cluster_problem(url) for url, name in named.items() if url}
    if problems := [f"{name}: {what}." for name, what in found.items() if what]:
        raise SettingsRefused(problems)
    # `chat up` has printed them before it starts its children.
    for sentence in () if "--tied" in sys.argv else start_warnings(settings):
        print(f"chat: warning: {sentence}", file=sys.stderr, flush=True)
    return settings


def _alerting(settings: Settings) -> Settings:
    """Returns `settings`. Raises SettingsRefused if an alert could not be sent: the first failure would be too late."""
    from app.tasks import alerts

    if problems := [f"ALERT_URLS: {what}" for what in alerts.problems(settings.alert_urls)]:
        raise SettingsRefused(problems)
    return settings


def _wait_until_plugged(settings: Settings) -> None:
    """Returns when this process may listen. An operator may have unplugged the API of a local start."""
    from app.development import plug

    if local_start(settings) is not None and plug.requested(settings.data_dir) is not None:
        import_module("app.main")  # takes a second, which would prolong the outage
        plug.wait_until_plugged(settings.data_dir, "api")


def _address(host: str, settings: Settings) -> str:
    return host or ("0.0.0.0" if settings.is_production else "127.0.0.1")  # noqa: S104 - the container's


def celery() -> Celery:
    # Imported by name: entry points do not import each other.
    return import_module("app.worker").celery


COMMANDS = (up, api, worker, beat, flower)
