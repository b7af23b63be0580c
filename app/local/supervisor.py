"""`chat up`: servers, migrations, API, worker and beat under one command, all or nothing.

Started in the order they need each other and stopped in the opposite one, so that nothing loses its database while it
finishes. Until `ready` any failure ends the start with a sentence; afterwards whatever falls is started again.
"""

from __future__ import annotations

import http.client
import signal
import sys
import threading
import time
from contextlib import ExitStack
from types import FrameType
from typing import Final

from app.local import lock, servers
from app.local.children import Child, Children
from app.local.processes import StartRefused, port_is_taken
from app.settings import Settings, environment_for_child

READY_SECONDS: Final = 60
MIGRATION_SECONDS: Final = 600
API_GRACE_SECONDS: Final = 5
TICK: Final = 0.2


def run(settings: Settings) -> int:
    """Runs until Ctrl-C, SIGTERM, or a start that fails. Answers the exit code."""
    asked_to_stop = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        asked_to_stop.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    try:
        with ExitStack() as running:
            _run(settings, running, asked_to_stop)
    except StartRefused as refused:
        print(f"chat: {refused}", file=sys.stderr, flush=True)
        return 1
    return 0


def _run(settings: Settings, running: ExitStack, asked_to_stop: threading.Event) -> None:
    running.enter_context(lock.held(settings.data_dir))
    children = Children(settings.data_dir)
    children.end_leftovers()
    if port_is_taken(settings.port):
        raise StartRefused(
            f"Port {settings.port} is in use on this machine: end what holds it, or set PORT to another."
        )
    embedded = servers.start(settings.data_dir, postgres=not settings.database_url, redis=not settings.redis_url)
    running.callback(embedded.stop)
    environment = environment_for_child(
        DATABASE_URL=settings.database_url or embedded.database_url,
        REDIS_URL=settings.redis_url or embedded.redis_url,
        PYTHONUNBUFFERED="1",
    )
    running.callback(children.stop)
    if not _migrated(children, environment, asked_to_stop):
        return
    children.start("api", [f"--grace={API_GRACE_SECONDS}"], environment)
    children.start("worker", [], environment)
    children.start("beat", [], environment)
    if not _ready(settings.port, children.all, asked_to_stop):
        return
    print(f"ready http://127.0.0.1:{settings.port}", flush=True)
    while not asked_to_stop.wait(TICK):
        for line in [f"{name} ended by itself; it runs again" for name in embedded.revive()] + children.revive():
            print(f"chat: {line}", file=sys.stderr, flush=True)


def _migrated(children: Children, environment: dict[str, str], asked_to_stop: threading.Event) -> bool:
    migration = children.start("migrate", [], environment)
    deadline = time.monotonic() + MIGRATION_SECONDS
    while migration.is_running:
        if time.monotonic() > deadline:
            raise StartRefused(f"The migrations were not through after {MIGRATION_SECONDS // 60} minutes.")
        if asked_to_stop.wait(0.02):
            return False
    if migration.process and migration.process.returncode:
        raise StartRefused("The database could not be migrated; the reason stands above.")
    children.all.remove(migration)
    return True


def _ready(port: int, children: list[Child], asked_to_stop: threading.Event) -> bool:
    """Waits for the API's own word. False when told to stop meanwhile."""
    deadline, pause = time.monotonic() + READY_SECONDS, 0.05
    while not _answers(port):
        for child in children:
            if not child.is_running:
                raise StartRefused(f"`chat {child.name}` could not start; the reason stands above.")
        if time.monotonic() > deadline:
            raise StartRefused(f"The API was not ready within {READY_SECONDS} seconds.")
        if asked_to_stop.wait(pause):
            return False
        pause = min(1.0, pause * 1.2)
    return not asked_to_stop.is_set()


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
