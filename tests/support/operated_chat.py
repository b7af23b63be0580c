"""A whole chat as an operator sees it: its parts may be broken one by one, and the commands and metrics tell."""

from __future__ import annotations

import http.client
import subprocess
import sys
from collections.abc import Callable
from math import nan
from typing import Final

import msgspec
import psutil

from app.cli.status import Check
from app.local.postgres import EmbeddedPostgres
from app.local.valkey import EmbeddedValkey
from tests.support.chat import until
from tests.support.processes import ROOT, Api, Process, Processes

WITHIN: Final = 60.0
"""Seconds in which a fault must be seen."""
LEFT: Final = {"failed tasks", "mail"}
"""What a cured fault leaves wrong, until an operator runs the failed tasks and the postponed mails are due again."""


class Checks(msgspec.Struct, frozen=True):
    checks: list[Check]


class Figures(dict[str, float]):
    """What a scrape returned. A missing metric compares with nothing."""

    def __missing__(self, name: str) -> float:
        return nan


class OperatedChat(msgspec.Struct, frozen=True):
    """A whole chat, whose parts may be broken one by one."""

    postgres: EmbeddedPostgres
    valkey: EmbeddedValkey
    processes: Processes
    api: Api
    worker: Process
    beat: Process
    mail_port: int

    def queues(self, **environment: str) -> subprocess.CompletedProcess[str]:
        return self.command("queues", **environment)

    def command(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """`chat` as an operator types it."""
        return subprocess.run(
            [sys.executable, "-m", "app.cli", *words],
            cwd=ROOT,
            env={"PATH": "/usr/bin:/bin", "PORT": str(self.api.port), **self.processes.environment, **environment},
            capture_output=True,
            text=True,
            timeout=60,
        )

    def metrics(self) -> Figures:
        connection = http.client.HTTPConnection("127.0.0.1", self.api.port, timeout=10)
        try:
            connection.request("GET", "/metrics")
            text = connection.getresponse().read().decode()
        finally:
            connection.close()
        lines = [line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#")]
        return Figures({name: float(value) for name, _, value in lines})

    def shows(self, condition: Callable[[Figures], bool]) -> None:
        """Waits until the metrics are so."""
        until(lambda: condition(self.metrics()), WITHIN, lambda: sorted(self.metrics().items()))

    def says(self, *sentences: str, code: int = 1) -> None:
        """Waits until `chat queues` says all of these, and ends with this code."""
        last: list[str] = []

        def said() -> bool:
            received = self.queues()
            last[:] = [received.stdout + received.stderr, str(received.returncode)]
            return received.returncode == code and all(sentence in last[0] for sentence in sentences)

        until(said, WITHIN, lambda: last)

    def checks(self) -> dict[str, Check]:
        """The lines of `chat status` by name; the exit code is that of the worst."""
        received = self.command("status", "--json")
        checks = msgspec.json.decode(received.stdout, type=Checks).checks
        assert received.returncode == (0 if all(check.ok for check in checks) else 1), received
        return {check.name: check for check in checks}

    def marks(self, name: str, facts: str = "") -> None:
        """Waits until `chat status` marks the line as wrong, and says this."""
        last: list[dict[str, Check]] = []

        def marked() -> bool:
            last[:] = [self.checks()]
            return name in last[0] and not last[0][name].ok and facts in last[0][name].facts

        until(marked, WITHIN, lambda: last)

    def is_well(self) -> None:
        """Nothing is left of a fault but failed tasks and postponed mails, which have their own cures."""
        self.says("workers: celery@", "beat: seen", code=0)
        until(lambda: {name for name, check in self.checks().items() if not check.ok} <= LEFT, WITHIN, self.checks)
        self.shows(
            lambda found: (found["chat_broker_up"], found["chat_database_up"], found["chat_workers"]) == (1, 1, 1)
        )


def family(process: Process) -> list[psutil.Process]:
    head = psutil.Process(process.process.pid)
    return [head, *head.children(recursive=True)]


def servers(postgres: EmbeddedPostgres) -> list[psutil.Process]:
    assert postgres.process is not None
    server = psutil.Process(postgres.process.pid)
    return [server, *server.children(recursive=True)]


def switch(postgres: EmbeddedPostgres, value: str) -> None:
    with postgres.connect() as connection:
        connection.execute(b"SET default_transaction_read_only = off")
        connection.execute(f"ALTER SYSTEM SET default_transaction_read_only = {value}".encode())
        connection.execute(b"SELECT pg_reload_conf()")
