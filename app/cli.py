"""`chat …`, the operators' command. Each verb imports what it needs when it is asked for, so that none pays for others.

Exit codes: 0 done, 1 could not be done (a sentence says why), 2 the settings are refused (a sentence each).
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final

from app.settings import Settings, SettingsRefused, load

if TYPE_CHECKING:
    from celery import Celery
    from litestar import Litestar

ROOT: Final = Path(__file__).resolve().parent.parent
GRACE_SECONDS: Final = 12  # from SIGTERM to the last request's end; the whole stop has 20
NOTICE_SECONDS: Final = 1.0  # of it, for balancers to find out
KEEP_ALIVE_SECONDS: Final = 75  # longer than proxies in front keep theirs, so that they never write into a closing one
LARGEST_FRAME: Final = 128 * 1024


def main(arguments: list[str] | None = None) -> int:
    asked = _parser().parse_args(arguments)
    if asked.tied:
        from app.local.tied import tie

        tie()
    try:
        return int(asked.verb(asked) or 0)
    except SettingsRefused as refused:
        for problem in refused.problems:
            print(f"chat: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def up(asked: argparse.Namespace) -> int:
    from app.local import supervisor

    return supervisor.run(load(embedded=True))


def api(asked: argparse.Namespace) -> int:
    from app.api import server

    settings = load()
    return server.run(
        server.Config(
            "app.cli:application",
            factory=True,
            host=asked.host or ("0.0.0.0" if settings.is_production else "127.0.0.1"),  # noqa: S104 - a container's all
            port=settings.port,
            workers=settings.web_concurrency,
            loop="uvloop",
            http="app.realtime.protocol:RequestProtocol",  # httptools, with a deadline for heads
            ws="app.realtime.protocol:SocketProtocol",  # sansio, and what ASGI has no words for
            ws_per_message_deflate=False,
            ws_max_size=LARGEST_FRAME,
            timeout_graceful_shutdown=asked.grace,
            notice=min(asked.notice, asked.grace),
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


def worker(asked: argparse.Namespace) -> None:
    import warnings

    from app import telemetry

    telemetry.start_celery(load(), process="worker")
    # Celery warns root because of pickle. Ours reads JSON only, and where there is no other account we are root.
    warnings.filterwarnings("ignore", message=r"(?s).*superuser privileges")
    _celery().worker_main(
        ["--quiet", "worker", f"--concurrency={asked.concurrency}", "--without-gossip", "--without-mingle"]
    )


def beat(asked: argparse.Namespace) -> None:
    from app import telemetry

    telemetry.start_celery(load(), process="beat")
    # Its memory is not kept: every periodic effect has a unique key, and a killed beat leaves no broken file behind.
    _celery().start(["--quiet", "beat", "--scheduler=celery.beat:Scheduler", "--pidfile="])


def migrate(url: str) -> None:
    """Brings the database at this SQLAlchemy URL up to the newest schema."""
    from alembic.config import Config

    from alembic import command

    config = Config(ROOT / "alembic.ini")
    config.attributes["url"] = url
    command.upgrade(config, "head")


def _migrate(asked: argparse.Namespace) -> None:
    migrate(_load_beside().sqlalchemy_url)


def demo(asked: argparse.Namespace) -> int:
    from app.local import demo

    return demo.run(load(embedded=True).port)


def create_operator(asked: argparse.Namespace) -> int:
    import asyncio

    from app.domain.errors import ChatError

    settings = _load_beside()
    password = _password()
    try:
        asyncio.run(_create_operator(settings, asked, password))
    except ChatError as error:
        wrong = "".join(f" {field}: {message}" for field, message in getattr(error, "errors", ()))
        print(f"chat: {error.detail}{wrong}", file=sys.stderr)
        return 1
    print(f"{asked.email} is an operator now, and logs in anew.")
    return 0


async def _create_operator(settings: Settings, asked: argparse.Namespace, password: str) -> None:
    from app.db import Database, open_engine
    from app.domain.users import accounts
    from app.domain.users.passwords import Passwords

    database, passwords = Database(open_engine(settings.sqlalchemy_url, pool_size=1)), Passwords()
    names = {"first_name": asked.first_name, "last_name": asked.last_name}
    try:
        async with database.transaction() as session:
            await accounts.create_operator(session, email=asked.email, password=password, passwords=passwords, **names)
    finally:
        passwords.close()
        await database.close()


def queues(asked: argparse.Namespace) -> int:
    from redis import RedisError

    settings = _load_beside()
    overview = import_module("app.tasks.overview")
    try:
        states = overview.states(settings.redis_url)
        workers = overview.workers(import_module("app.wiring").make_celery(settings))
    except RedisError as error:
        print(f"chat: the broker is away ({type(error).__name__}).", file=sys.stderr)
        return 1
    print(overview.table(states, workers))
    return 0 if workers else 1


def reseal(asked: argparse.Namespace) -> None:
    import asyncio

    print(
        f"Sealed with today's key: {asyncio.run(_reseal(_load_beside()))}. Keep SECRET_KEY_PREVIOUS while logins last."
    )


async def _reseal(settings: Settings) -> int:
    from app.db import Database, open_engine
    from app.domain.users.second_factors import SecondFactors

    database = Database(open_engine(settings.sqlalchemy_url, pool_size=1))
    try:
        async with database.transaction() as session:
            return await SecondFactors(settings.secret_key, settings.secret_key_previous).reseal(session)
    finally:
        await database.close()


def _password() -> str:
    """Typed, or the first line of the input; never an argument, which every account of the machine can read."""
    import getpass

    if sys.stdin.isatty():
        return getpass.getpass("Password for the operator: ")
    return sys.stdin.readline().rstrip("\n")


def _load_beside() -> Settings:
    """The settings; beside a running `chat up`, with the addresses of its embedded servers."""
    from app.local import servers

    try:
        data_dir = load(embedded=True).data_dir
    except SettingsRefused:
        return load()  # which refuses too, and names the servers as well
    return load(running=servers.running(data_dir))


def openapi(asked: argparse.Namespace) -> None:
    import msgspec

    # The description needs no server: these are named and never asked.
    described = msgspec.structs.replace(
        load(embedded=True),
        database_url="postgresql://127.0.0.1/unused",
        redis_url="redis://127.0.0.1/0",
        cache_redis_url="redis://127.0.0.1/0",
    )
    application = import_module("app.main").create_app(described)
    document = msgspec.json.encode(import_module("app.api.documents").described(application), order="sorted")
    asked.file.parent.mkdir(parents=True, exist_ok=True)
    asked.file.write_bytes(msgspec.json.format(document, indent=2) + b"\n")


def _celery() -> Celery:
    # By name: front doors do not know each other.
    return import_module("app.worker").celery


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="chat", description="Runs the chat. Settings come from the environment and .env."
    )
    # For a process manager's children: end when it does.
    parser.add_argument("--tied", action="store_true", help=argparse.SUPPRESS)
    verbs = parser.add_subparsers(required=True, metavar="verb")

    verb = verbs.add_parser("up", help="everything on this machine: servers, migrations, API, worker, beat")
    verb.set_defaults(verb=up)

    verb = verbs.add_parser("api", help="the API and its sockets")
    verb.add_argument("--host", default="", help="address to listen on (127.0.0.1, in production 0.0.0.0)")
    verb.add_argument("--grace", type=int, default=GRACE_SECONDS, help="seconds to finish requests when told to stop")
    verb.add_argument(
        "--notice",
        type=float,
        default=NOTICE_SECONDS,
        help="of these, seconds to go on answering while /readyz says 503, so that balancers send no more",
    )
    verb.set_defaults(verb=api)

    verb = verbs.add_parser("worker", help="a background worker")
    verb.add_argument("--concurrency", type=int, default=2, help="tasks at a time (2)")
    verb.set_defaults(verb=worker)

    verb = verbs.add_parser("beat", help="the clock of periodic tasks")
    verb.set_defaults(verb=beat)

    verb = verbs.add_parser("migrate", help="bring the database's schema up to date")
    verb.set_defaults(verb=_migrate)

    verb = verbs.add_parser("demo", help="fill a running chat with people and conversations")
    verb.set_defaults(verb=demo)

    verb = verbs.add_parser(
        "create-operator", help="an operator's account; the password is asked for, or read from the input"
    )
    verb.add_argument("email")
    verb.add_argument("--first-name", default="Operator", help="of a new account (Operator)")
    verb.add_argument("--last-name", default="Root", help="of a new account (Root)")
    verb.set_defaults(verb=create_operator)

    verb = verbs.add_parser("queues", help="what waits in the queues, since when, and which workers there are")
    verb.set_defaults(verb=queues)

    verb = verbs.add_parser("reseal", help="after a change of SECRET_KEY: what the previous one sealed")
    verb.set_defaults(verb=reseal)

    verb = verbs.add_parser("openapi", help="write the API's description to a file")
    verb.add_argument("file", type=Path)
    verb.set_defaults(verb=openapi)
    return parser


if __name__ == "__main__":
    sys.exit(main())
