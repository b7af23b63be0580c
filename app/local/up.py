"""`chat up`: runs servers, migrations, API, worker and beat under one command, all or nothing.

They start in dependency order and stop in reverse, so no process loses its database while it shuts down. Before
`ready` any failure aborts the start with a sentence; after `ready` a process that ends is restarted.
"""

from __future__ import annotations

import http.client
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from types import FrameType
from typing import Final

from app.development import local_start
from app.local import data_dir_lock, embedded, fresh_chat
from app.local.processes import StartRefused, dying_with_us, end, port_is_taken
from app.local.pulled_plug import PulledPlug
from app.local.start_screen import StartScreen
from app.local.supervisord import Supervisord
from app.settings import Settings, environment_for_child
from app.settings.terminal import FORCE_COLOR, has_colors

READY_SECONDS: Final = 60
MIGRATION_SECONDS: Final = 600
API_GRACE_SECONDS: Final = 5
TICK: Final = 0.2


class Stopped(Exception):
    """A stop signal arrived during the start."""


def run(settings: Settings) -> int:
    """Runs until Ctrl-C, SIGTERM, SIGHUP (unless ignored) or a failed start. Returns the exit code."""
    asked_to_stop = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        asked_to_stop.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # `nohup` ignores SIGHUP, so that the chat outlives its terminal.
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, stop)
    try:
        with suppress(Stopped), ExitStack() as running:
            _run(settings, running, asked_to_stop)
    except StartRefused as refused:
        print(f"chat: {refused}", file=sys.stderr, flush=True)
        return 1
    return 0


def _run(settings: Settings, running: ExitStack, asked_to_stop: threading.Event) -> None:
    running.enter_context(data_dir_lock.held(settings.data_dir))
    manager = Supervisord(settings.data_dir)
    manager.end_leftovers()
    if port_is_taken(settings.port):
        raise StartRefused(
            f"Port {settings.port} is in use on this machine: stop the process that uses it, or set PORT to another."
        )
    screen = StartScreen(sys.stdout)
    servers = embedded.start(
        settings.data_dir,
        postgres=not settings.database_url,
        redis=not settings.redis_url,
        port=settings.port,
        step=screen.step,
    )
    running.callback(servers.stop)
    environment = environment_for_child(
        DATABASE_URL=settings.database_url or servers.database_url,
        # Only the migrating process receives the owner's password.
        MIGRATE_DATABASE_URL="",
        REDIS_URL=settings.redis_url or servers.redis_url,
        PYTHONUNBUFFERED="1",
        **({FORCE_COLOR: "1"} if has_colors(sys.stdout) else {}),
    )
    owner = settings.migrate_database_url if settings.database_url else servers.migrate_database_url
    with screen.step("migrations"):
        _migrate({**environment, "MIGRATE_DATABASE_URL": owner}, asked_to_stop, screen.tick)
    plug = PulledPlug(settings.data_dir, manager, servers)
    running.callback(plug.close)
    start, token = fresh_chat.local_start(settings, servers, sys.stdout)
    running.callback(manager.stop)
    with screen.step("API, worker, beat", shared=True):
        manager.start(environment | local_start.encoded(start), {"api": [f"--grace={API_GRACE_SECONDS}"]})
        _wait_ready(settings.port, manager, asked_to_stop)
    screen.ready(settings, first_token=token)
    while not asked_to_stop.wait(TICK):
        plug.tick()
        for name in servers.revive(except_valkey=plug.holds_valkey):
            print(f"chat: {name} exited unexpectedly and was restarted", file=sys.stderr, flush=True)
        if not manager.is_running:
            raise StartRefused("The process manager exited unexpectedly; start the chat again.")
    print("stopping …", flush=True)


def _migrate(environment: dict[str, str], asked_to_stop: threading.Event, tick: Callable[[], None]) -> None:
    """Raises StartRefused, and Stopped after a stop signal."""
    migration = subprocess.Popen(
        [sys.executable, "-m", "app.cli", "migrate"],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,  # the step's line says it
        start_new_session=True,
        preexec_fn=dying_with_us(signal.SIGTERM),
    )
    deadline = time.monotonic() + MIGRATION_SECONDS
    while migration.poll() is None:
        tick()
        if asked_to_stop.wait(0.02) or time.monotonic() > deadline:
            end(migration, (signal.SIGTERM, 5))
            if asked_to_stop.is_set():
                raise Stopped
            raise StartRefused(f"The migrations did not finish within {MIGRATION_SECONDS // 60} minutes.")
    if migration.returncode:
        raise StartRefused("The migration failed for the reason shown above.")


def _wait_ready(port: int, manager: Supervisord, asked_to_stop: threading.Event) -> None:
    """Waits until the API reports ready. Raises StartRefused, and Stopped after a stop signal."""
    deadline, pause = time.monotonic() + READY_SECONDS, 0.05
    while not _answers(port):
        if not manager.is_running:
            raise StartRefused("The processes did not start, for the reason shown above.")
        if time.monotonic() > deadline:
            raise StartRefused(f"The API was not ready within {READY_SECONDS} seconds.")
        if asked_to_stop.wait(pause):
            raise Stopped
        pause = min(1.0, pause * 1.2)
    if asked_to_stop.is_set():
        raise Stopped


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
