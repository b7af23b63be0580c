"""Measured servers as child processes: pinned, ready at their first response, ended with the bench in any case."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from app.local.processes import dying_with_us, end, last_line
from bench.cores import Cores

ROOT = Path(__file__).resolve().parent.parent
READY_SECONDS = 30
STOP_SECONDS = 10


class Failed(Exception):
    """A measurement failed; the message gives the reason."""


class Server:
    """A running HTTP server on the loopback. `process` gives access to its memory figures."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process = process
        self.port = port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def running(
    command: Sequence[str], *, port: int, path: str, cores: Cores, log: Path, environment: Mapping[str, str]
) -> Iterator[Server]:
    """Starts a server with `command` and yields it once `path` returns 200 (if empty, once `/` returns any status).

    Raises:
        Failed: the server exits or is not ready within READY_SECONDS.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        process = subprocess.Popen(
            list(command),
            cwd=ROOT,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C must reach only the bench, which ends its children in order
            preexec_fn=cores.pin_measured(dying_with_us(signal.SIGTERM)),
        )
    try:
        deadline = time.monotonic() + READY_SECONDS
        while not _answers(port, path):
            if process.poll() is not None or time.monotonic() > deadline:
                raise Failed(f"{' '.join(command[1:])} did not start ({last_line(log)}).")
            time.sleep(0.05)
        yield Server(process, port)
    finally:
        end(process, (signal.SIGTERM, STOP_SECONDS))


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path or "/")
        return connection.getresponse().status == 200 or not path
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
