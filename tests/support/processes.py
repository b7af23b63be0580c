"""The chat's processes as an operator starts them (`chat api`, `chat worker`), each in its own process group.

None outlives who started it. What they say goes to files; when a test fails, the end of each is shown with it.
"""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import psutil

from app.local.processes import StartRefused, dying_with_us, free_port, port_is_taken, wait_until
from app.settings import Settings
from tests.support.chat import end_all

ROOT: Final = Path(__file__).resolve().parents[2]
START_SECONDS: Final = 60
STOP_SECONDS: Final = 20
"""Contract: out within 20 s of SIGTERM."""

SECRET: Final = "for-tests-only-" + "0123456789abcdef" * 2
PROGRAM: Final = ("app.cli",)
"""The module behind `chat`, with what precedes the verb: tests of the tests start another."""
UNTHROTTLED: Final = dict.fromkeys(
    (
        *("THROTTLE_MESSAGES", "THROTTLE_USER", "THROTTLE_REQUESTS", "THROTTLE_ADDRESS"),
        *("THROTTLE_ADDITIONS", "THROTTLE_ADDED"),
    ),
    "1000000/minute",
)
SHOWN_LINES: Final = 40
_started: deque[Process] = deque(maxlen=6)


class Process:
    """One `chat` process. `started` or `running` below make them."""

    def __init__(
        self,
        verb: str,
        arguments: list[str],
        directory: Path,
        environment: dict[str, str],
        program: Sequence[str] = PROGRAM,
    ) -> None:
        self.name = f"{verb}-{time.monotonic_ns()}"
        self.log = directory / f"{self.name}.log"
        inherited = {
            name: value for name, value in os.environ.items() if name.lower() not in Settings.__struct_fields__
        }
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *program, verb, *arguments],
                cwd=ROOT,
                env={**inherited, "PYTHONUNBUFFERED": "1", **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=dying_with_us(signal.SIGTERM),
            )
        _started.append(self)

    @property
    def said(self) -> str:
        return self.log.read_text(errors="replace")

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        """As the kernel does when memory is short: nothing is said good-bye to."""
        self.process.kill()
        self.process.wait(5)

    def end(self) -> None:
        """Kills it and its children at the end of the tests. A graceful stop is a test of its own."""
        family = psutil.Process(self.process.pid).children(recursive=True) if self.is_running else []
        self.kill()
        end_all([process for process in family if process.is_running()])


class Api(Process):
    """`chat api` on a port of its own."""

    def __init__(
        self,
        arguments: list[str],
        directory: Path,
        environment: dict[str, str],
        port: int,
        program: Sequence[str] = PROGRAM,
    ) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.arguments, self.environment, self.program = arguments, environment, program
        super().__init__("api", arguments, directory, {**environment, "PORT": str(port)}, program)

    def answers(self, path: str = "/readyz") -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def wait_ready(self) -> None:
        wait_until(self.answers, self.process, seconds=START_SECONDS, what=self.name, log=self.log)


class Processes:
    """Starts processes on one database and Redis. Whatever happens, `end` ends them all."""

    def __init__(self, directory: Path, database_url: str, redis_url: str) -> None:
        self.directory = directory
        self.environment = {
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "SECRET_KEY": SECRET,
            "DATA_DIR": str(directory),
            "LOG_FILE": "",
            **UNTHROTTLED,
        }
        self._all: list[Process] = []

    def api(self, *arguments: str) -> Api:
        """An API process, ready. Raises StartRefused with its last words."""
        (one,) = self.apis({}, arguments=arguments)
        return one

    def apis(self, *environments: dict[str, str], arguments: Sequence[str] = ()) -> list[Api]:
        """Several, started side by side."""
        starting = [self._start_api(arguments, environment) for environment in environments]
        for at, environment in enumerate(environments):
            for attempt in range(3):
                try:
                    starting[at].wait_ready()
                    break
                except StartRefused:
                    # Another process took the port between our check and its start.
                    if attempt == 2 or not port_is_taken(starting[at].port):
                        raise
                    starting[at] = self._start_api(arguments, environment)
        return starting

    def again(self, ended: Api) -> Api:
        """Another in the place of one that has ended, ready: the same port, arguments and environment."""
        one = Api(ended.arguments, self.directory, ended.environment, ended.port, ended.program)
        self._all.append(one)
        one.wait_ready()
        return one

    def worker(self, *, concurrency: int = 1, program: Sequence[str] = PROGRAM, **environment: str) -> Process:
        """A worker that takes so many tasks at a time."""
        arguments = [f"--concurrency={concurrency}"]
        one = Process("worker", arguments, self.directory, {**self.environment, **environment}, program)
        self._all.append(one)
        wait_until(lambda: "ready." in one.said, one.process, seconds=START_SECONDS, what=one.name, log=one.log)
        return one

    def beat(self, *, program: Sequence[str] = PROGRAM) -> Process:
        """The clock of periodic tasks. It says nothing when it is ready."""
        one = Process("beat", [], self.directory, self.environment, program)
        self._all.append(one)
        return one

    def keep(self, one: Process) -> None:
        """One started elsewhere, to be ended with the others."""
        self._all.append(one)

    def end(self) -> None:
        for one in self._all:
            one.end()

    def _start_api(self, arguments: Sequence[str], environment: dict[str, str]) -> Api:
        one = Api(list(arguments), self.directory, {**self.environment, **environment}, free_port())
        self._all.append(one)
        return one


@contextmanager
def processes(directory: Path, database_url: str, redis_url: str) -> Iterator[Processes]:
    with ExitStack() as stack:
        made = Processes(directory, database_url, redis_url)
        stack.callback(made.end)
        yield made


def last_words() -> list[tuple[str, str]]:
    """For the report of a failure: the end of what the latest processes said, request lines left out."""
    return [(one.name, "\n".join(_telling(one.said)[-SHOWN_LINES:])) for one in _started if one.log.exists()]


def _telling(said: str) -> list[str]:
    return [line for line in said.splitlines() if " ms " not in line or " 50" in line]
