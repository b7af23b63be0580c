"""`chat up` as a user runs it: a real process with real children, observed from outside."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from app.local.processes import free_port
from app.settings import Settings, environment_for_child

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 90


class ChatUp:
    """`chat up`, which writes into a file, or on a `terminal` whose output goes into the file."""

    def __init__(self, data_dir: Path, port: int, *, terminal: bool = False, **environment: str) -> None:
        self.data_dir = data_dir
        self.port = port
        self.output = data_dir.with_name(f"{data_dir.name}.{uuid.uuid4().hex}.out")
        inherited = {k: v for k, v in os.environ.items() if k.lower() not in Settings.__struct_fields__}
        with self.output.open("ab") as output, ExitStack() as stack:
            written: Any = output
            if terminal:
                screen, written = os.openpty()
                stack.callback(os.close, written)
                threading.Thread(target=copy, args=(screen, self.output), daemon=True).start()
            self.process = subprocess.Popen(
                [sys.executable, "-m", "app.cli", "up"],
                cwd=ROOT,
                env={**inherited, "DATA_DIR": str(data_dir), "PORT": str(port), **environment},
                stdin=subprocess.DEVNULL,
                stdout=written,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        return self.output.read_text(errors="replace")

    def wait_ready(self) -> None:
        until(
            lambda: f"ready http://127.0.0.1:{self.port}" in self.said or self.process.poll() is not None, START_SECONDS
        )
        assert self.process.poll() is None, self.said[-2_000:]

    def answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def children(self, verb: str = "") -> list[psutil.Process]:
        """Processes kept by this command's process manager, by the verb they run."""
        direct = alive(psutil.Process(self.process.pid).children())
        managers = [process for process in direct if "app.local.supervisord_main" in process.cmdline()]
        return [child for manager in managers for child in alive(manager.children()) if runs(child, verb)]

    def family(self) -> list[psutil.Process]:
        return alive(psutil.Process(self.process.pid).children(recursive=True))

    def beside(self, *words: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        """`chat …` in a second terminal, on the same chat."""
        environment = environment_for_child(DATA_DIR=str(self.data_dir), PORT=str(self.port))
        command = [sys.executable, "-m", "app.cli", *words]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=120, cwd=ROOT, env=environment, input=typed
        )

    def stop(self, number: signal.Signals = signal.SIGINT) -> float:
        """Sends the signal; answers the seconds until it was gone."""
        began = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(30)
        return time.monotonic() - began


def copy(screen: int, path: Path) -> None:
    """Writes what a terminal shows into a file, until its last writer closes it."""
    with path.open("ab") as file, suppress(OSError):
        while shown := os.read(screen, 65_536):
            file.write(shown)
            file.flush()
    os.close(screen)


@contextmanager
def chat_up(data_dir: Path, port: int = 0, *, terminal: bool = False, **environment: str) -> Iterator[ChatUp]:
    started = ChatUp(data_dir, port or free_port(), terminal=terminal, **environment)
    try:
        yield started
    finally:
        if started.process.poll() is None:
            family = started.family()
            started.process.terminate()
            try:
                started.process.wait(20)
            except subprocess.TimeoutExpired:
                started.process.kill()
                started.process.wait()
            end_all(family)


def end_all(processes: list[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(processes, timeout=5)


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [process for process in processes if is_alive(process)]


def is_alive(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def runs(process: psutil.Process, verb: str) -> bool:
    with suppress(psutil.Error):
        return not verb or verb in process.cmdline()
    return False


def commands(processes: list[psutil.Process]) -> list[list[str]]:
    """What those that are alive were started as."""
    found = []
    for process in alive(processes):
        with suppress(psutil.Error):
            found.append(process.cmdline())
    return found


def until(happened: Callable[[], bool], seconds: float, instead: Callable[[], object] = lambda: "") -> None:
    """Waits until it has happened; fails when it has not within the seconds, saying what is there `instead`."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"not within {seconds} s; {instead()}"
        time.sleep(0.05)
