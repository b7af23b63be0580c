"""HTTP load: prepared requests, played by wrk (C) if it is installed, otherwise by `bench.client`.

A request is raw bytes. `NUMBER` in it is replaced by twelve digits that never repeat, so every send has a unique
`client_id`. A response from 400 on or a broken connection fails the measurement: fast refusals are not throughput.
"""

from __future__ import annotations

import itertools
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from app.local.processes import dying_with_us
from bench.processes import ROOT, Failed

NUMBER = b"\x1f"
BETWEEN = b"\x1e"
DIGITS = 12
SCRIPT = Path(__file__).with_name("feed.lua")
GRACE = 15
LONGEST = 600

_firsts = itertools.count(int(time.time()) % 1_000_000 * 1_000_000, 10_000_000)


class LoadResult(msgspec.Struct, frozen=True):
    """The result of one run. `p50` and `p99` are in milliseconds; `refused` counts responses from 400 on."""

    requests: int
    seconds: float
    p50: float
    p99: float
    refused: int
    broken: int

    @property
    def rate(self) -> float:
        return self.requests / self.seconds


def generator(seconds: float) -> str:
    """Returns a description of the load generator for rounds of this many seconds."""
    if _wrk(seconds):
        return "wrk"
    why = "rounds are short" if shutil.which("wrk") else "wrk is not installed"
    return f"the fallback client, in Python, because {why}: no figures to believe"


def request(method: str, path: str, token: str = "", body: bytes = b"") -> bytes:
    """Returns the raw request. `body` may contain `NUMBER` once."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
    if token:
        lines.append(f"Authorization: Bearer {token}")
    if body:
        length = len(body) + (DIGITS - 1) * body.count(NUMBER)
        lines += ["Content-Type: application/json", f"Content-Length: {length}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Feed:
    """Requests stored in a file, to be played against a port."""

    def __init__(self, file: Path, port: int, requests: Sequence[bytes]) -> None:
        self.file = file
        self.port = port
        self.requests = requests
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(BETWEEN.join(requests))

    def play(self, *, clients: int, seconds: float) -> LoadResult:
        """Plays the requests as fast as possible over `clients` connections, one request in flight on each.

        Raises:
            Failed: a request was refused, a connection broke, or the generator failed.
        """
        with _start(self._command(clients, seconds)) as process:
            try:
                output, complaint = process.communicate(timeout=seconds + GRACE)
            except BaseException:
                process.kill()
                raise
        lines = output.strip().splitlines()
        if process.returncode or not lines:
            raise Failed(f"The load generator failed: {complaint.strip() or output.strip()}")
        result = msgspec.json.decode(lines[-1], type=LoadResult)
        if result.refused or result.broken:
            raise Failed(f"{result.refused} of {result.requests} requests were refused, {result.broken} broke.")
        return result

    @contextmanager
    def playing(self, *, clients: int, pause: float) -> Iterator[None]:
        """Plays in the background; each of `clients` pauses `pause` seconds between its requests. Raises Failed if
        the generator ends early."""
        process = _start(self._command(clients, LONGEST, pause))
        try:
            yield
            if process.poll() is not None:
                raise Failed(f"The load in the background ended: {process.communicate()[1]}")
        finally:
            process.kill()
            process.communicate()

    def _command(self, clients: int, seconds: float, pause: float = 0.0) -> list[str]:
        first = next(_firsts)
        url = f"http://127.0.0.1:{self.port}"
        pauses = [str(round(pause * 1_000))] if pause else []
        wrk = _wrk(seconds)
        if wrk is None:
            own = [sys.executable, "-m", "bench.client", str(self.file), str(self.port), str(first)]
            return [*own, str(clients), str(seconds), *pauses]
        whole = [f"-d{round(seconds)}s", "-t1", f"-c{clients}"]
        return [wrk, *whole, "--timeout", "5s", "-s", str(SCRIPT), url, "--", str(self.file), str(first), *pauses]


def _wrk(seconds: float) -> str | None:
    # wrk supports whole seconds only.
    return shutil.which("wrk") if seconds >= 1 else None


def _start(command: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=dying_with_us(signal.SIGKILL),
    )
