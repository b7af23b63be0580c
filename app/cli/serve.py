"""Verbs that serve until they are told to stop: `up`, `api`, `worker`, `beat`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from importlib import import_module
from typing import TYPE_CHECKING, Final, NoReturn

import structlog

from app.cli.commands import CommandLine, load_beside, refused
from app.server.limits import KEEP_ALIVE_SECONDS
from app.settings import DEFAULT_SENDER, Settings, SettingsRefused, load

if TYPE_CHECKING:
    from celery import Celery
    from litestar import Litestar

log = structlog.get_logger(__name__)

GRACE_SECONDS: Final = 12  # from SIGTERM to the last request's end; the whole stop has 20
NOTICE_SECONDS: Final = 1.0  # of it, for balancers to find out
MAX_FRAME_BYTES: Final = 128 * 1024
RESTART_SECONDS: Final = 2.0
FLOWER_PORT: Final = 5555
FLOWER_TASKS: Final = 10_000  # remembered, the newest


def add(verbs: CommandLine) -> None:
    verbs.add("up", up, "everything on this machine: servers, migrations, API, worker, beat")

    verb = verbs.add("api", api, "the API and its sockets")
    verb.add_argument("--host", default="", help="address to listen on (127.0.0.1, in production 0.0.0.0)")
    verb.add_argument("--grace", type=int, default=GRACE_SECONDS, help="seconds to finish requests when told to stop")
    verb.add_argument(
        "--notice",
        type=float,
        default=NOTICE_SECONDS,
        help="of these, seconds to go on answering while /readyz says 503, so that balancers send no more",
    )

    verb = verbs.add("worker", worker, "a background worker")
    verb.add_argument("--concurrency", type=int, default=2, help="tasks at a time (2)")

    verbs.add("beat", beat, "the clock of periodic tasks")

    verb = verbs.add("flower", flower, "the queues in a browser, for who knows FLOWER_BASIC_AUTH")
    verb.add_argument("--host", default="", help="address to listen on (127.0.0.1, in production 0.0.0.0)")
    verb.add_argument("--port", type=int, default=FLOWER_PORT, help=f"({FLOWER_PORT})")


def up(asked: argparse.Namespace) -> int:
    from app.local import up as supervisor

    return supervisor.run(_usable(load(embedded=True)))


def api(asked: argparse.Namespace) -> int:
    from app.server import graceful

    settings = _usable(load())
    if refused(settings):
        return 1
    return graceful.run(
        graceful.Config(
            "app.cli.serve:application",
            factory=True,
            host=_address(asked, settings),
            port=settings.port,
            workers=settings.web_concurrency,
            loop="uvloop",
            http="app.server.http_protocol:RequestProtocol",  # httptools, bounded
            ws="app.server.websocket_protocol:SocketProtocol",  # sansio, and what ASGI has no words for
            ws_per_message_deflate=False,
            ws_max_size=MAX_FRAME_BYTES,
            timeout_graceful_shutdown=asked.grace,
            notice=min(asked.notice, asked.grace),
            # Behind proxies all clients have the proxies' addresses.
            per_address=None if settings.trusted_proxy_hops else settings.connections_per_address,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            access_log=False,  # it would log the sockets' query strings, tokens in them
            log_config=None,
            proxy_headers=False,  # uvicorn believes the address a client wrote; TRUSTED_PROXY_HOPS counts from our side
            server_header=False,
        )
    )


def application() -> Litestar:
    """The application, in the process that serves it: of several (WEB_CONCURRENCY) each begins from nothing."""
    import gc

    from app import telemetry

    settings = load()
    telemetry.start(settings, process="api")
    application: Litestar = import_module("app.main").create_app(settings)
    # What is here now stays: the collector need not walk it. And a request makes a thousand short-lived objects,
    # so that the default of 700 would start it with nearly each.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    return application


def worker(asked: argparse.Namespace) -> int:
    import warnings

    from app import telemetry

    settings = _usable(load())
    if refused(settings):
        return 1
    telemetry.start_celery(settings, process="worker")
    for sentence in mail_warnings(settings):
        log.warning("mail_settings", why=sentence)
    # Celery warns root because of pickle. Ours reads JSON only, and where there is no other account we are root.
    warnings.filterwarnings("ignore", message=r"(?s).*superuser privileges")
    celery().worker_main(
        ["--quiet", "worker", f"--concurrency={asked.concurrency}", "--without-gossip", "--without-mingle"]
    )
    # Celery's own would only note from here on that somebody wants an end: what comes before this line is noted, what
    # comes after it ends us.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    if not _is_told_to_stop():
        _begin_anew()
    return 0


def mail_warnings(settings: Settings) -> list[str]:
    """What makes mails of production go nowhere. Reasons to warn at the start, none to refuse it: a chat works."""
    if not settings.is_production:
        return []
    if not settings.smtp_url:
        return ["SMTP_URL is not set: mails, with the tokens in them, become files in DATA_DIR/mail and are not sent."]
    if settings.mail_from == DEFAULT_SENDER:
        return [f"MAIL_FROM is not set: mails come from {DEFAULT_SENDER}, which most mail servers refuse."]
    return []


def _is_told_to_stop() -> bool:
    from celery.worker import state

    # An exit code, and 0 is one.
    return any(told is not None and told is not False for told in (state.should_stop, state.should_terminate))


def _begin_anew() -> NoReturn:
    """Celery gives up on an error that it did not foresee, such as one of its own client of Redis when that goes away
    at the wrong moment, and says nothing of it in its exit code. As this very process: nobody need supervise it."""
    log.error("worker_begins_anew", seconds=RESTART_SECONDS)
    time.sleep(RESTART_SECONDS)
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - our own command line


def beat(asked: argparse.Namespace) -> None:
    from app import telemetry

    telemetry.start_celery(_usable(load()), process="beat")
    # Its memory is not kept: every periodic effect has a unique key, and a killed beat leaves no broken file behind.
    celery().start(["--quiet", "beat", "--pidfile="])


def flower(asked: argparse.Namespace) -> int:
    from app import telemetry

    settings = _usable(load_beside())
    if not settings.flower_basic_auth:
        print("chat: FLOWER_BASIC_AUTH: not set; nobody may see the queues without a password.", file=sys.stderr)
        return 2
    telemetry.start_celery(settings, process="flower")
    import_module("flower.options")
    options = import_module("tornado.options").options
    # Here and not in arguments, which every account of the machine can read.
    options.basic_auth = [settings.flower_basic_auth]
    options.address = _address(asked, settings)
    options.port = asked.port
    options.read_only = True  # what is to be done, `chat tasks` does
    options.max_tasks = FLOWER_TASKS
    vars(import_module("flower.views"))["Broker"] = import_module("app.tasks.broker.flower").Queues
    # Its own figures ask for no password; the API's /metrics tells more.
    urls = import_module("flower.urls")
    urls.handlers.remove(("/metrics", urls.monitor.Metrics))
    print(f"Flower: http://127.0.0.1:{asked.port}", flush=True)
    import_module("app.wiring").make_celery(settings).start(["--quiet", "flower"])
    return 0


def _usable(settings: Settings) -> Settings:
    """The same settings. Raises SettingsRefused when a server that they name answers, and can never serve the chat."""
    from app.tasks.broker import address

    named = {settings.cache_redis_url: "CACHE_REDIS_URL", settings.redis_url: "REDIS_URL"}
    found = {name: address.cluster_problem(url) for url, name in named.items() if url}
    if problems := [f"{name}: {what}." for name, what in found.items() if what]:
        raise SettingsRefused(problems)
    return settings


def _address(asked: argparse.Namespace, settings: Settings) -> str:
    return asked.host or ("0.0.0.0" if settings.is_production else "127.0.0.1")  # noqa: S104 - a container's all


def celery() -> Celery:
    # By name: front doors do not know each other.
    return import_module("app.worker").celery
