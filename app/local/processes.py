"""Child processes: none outlives its parent, and no foreign process is ever signalled.

A process is ours if it has the expected name and its working directory is one of our data directories (both servers
change into theirs). Process ids are never trusted across a restart, because the system reuses them.
"""

from __future__ import annotations

import ctypes
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil

PR_SET_PDEATHSIG: Final = 1  # prctl(2)
STEADY_PORTS: Final = range(20_000, 32_000)
"""Below the ephemeral ports, which start at 32768 on Linux and at 49152 elsewhere (RFC 6335)."""


class StartRefused(Exception):
    """A start is impossible; the message is a sentence for the operator."""


def dying_with_us(first_signal: signal.Signals) -> Callable[[], None] | None:
    """Returns a `preexec_fn`: the child gets this signal when its parent dies for any reason. Linux only; elsewhere
    the next start stops leftovers. Start children from the main thread: the kernel watches the starting thread."""
    if not sys.platform.startswith("linux"):
        return None
    libc, parent = ctypes.CDLL(None), os.getpid()

    def set_death_signal() -> None:
        libc.prctl(PR_SET_PDEATHSIG, int(first_signal), 0, 0, 0)
        if os.getppid() != parent:  # the parent died between the fork and the line above
            os._exit(1)

    return set_death_signal


def free_port() -> int:
    """Returns a loopback TCP port that is free now. Another process may take it before it is used: then try again.

    It lies below the kernel's ephemeral ports, so a restarted server finds it free.
    """
    while port_is_taken(port := secrets.choice(STEADY_PORTS)):
        pass
    return port


def port_is_taken(port: int, host: str = "127.0.0.1") -> bool:
    try:
        with socket.create_server((host, port)):
            return False
    except OSError:
        return True


def running_in(directory: Path, name: str) -> list[psutil.Process]:
    """Returns the processes called `name` whose working directory is `directory`."""
    found = []
    home = str(directory.resolve())
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.name() == name and process.cwd() == home:
                found.append(process)
    return found


def stop_leftovers(directory: Path, name: str, first_signal: signal.Signals, seconds: float = 10) -> None:
    """Ends the processes that a killed run left in this directory: with `first_signal`, after `seconds` with SIGKILL.

    Raises StartRefused if one survives.
    """
    leftovers = running_in(directory, name)
    ids = {process.pid for process in leftovers}
    for process in leftovers:
        with suppress(psutil.Error):
            if process.ppid() not in ids:  # a parent ends its children in the right order
                process.send_signal(first_signal)
    for process in psutil.wait_procs(leftovers, timeout=seconds)[1]:
        with suppress(psutil.Error):
            process.kill()
    if survivors := psutil.wait_procs(leftovers, timeout=5)[1]:
        raise StartRefused(f"A {name} of an earlier run (process {survivors[0].pid}) cannot be stopped.")


def end(process: subprocess.Popen[bytes], *signals: tuple[signal.Signals, float]) -> None:
    """Sends each signal in turn and waits its seconds for the process to exit; kills it at the end."""
    for number, seconds in signals:
        if process.poll() is None:
            process.send_signal(number)
            with suppress(subprocess.TimeoutExpired):
                process.wait(seconds)
    if process.poll() is None:
        process.kill()
        process.wait(5)


def wait_until(
    ready: Callable[[], bool], process: subprocess.Popen[bytes], *, seconds: float, what: str, log: Path
) -> None:
    """Waits until `ready()`. Raises StartRefused if the process exits or `seconds` elapse."""
    deadline = time.monotonic() + seconds
    while not ready():
        if process.poll() is not None:
            raise StartRefused(f"{what} exited during its start ({last_line(log)}).")
        if time.monotonic() > deadline:
            raise StartRefused(f"{what} was not ready within {seconds:.0f} seconds ({last_line(log)}).")
        time.sleep(0.02)


def last_line(log: Path) -> str:
    """Returns the last non-empty line of a log, for an error sentence."""
    lines = log.read_text(errors="replace").split("\n") if log.exists() else []
    return next((line.strip() for line in reversed(lines) if line.strip()), "its log is empty")


def end_with_parent() -> None:
    """Makes this process end with its parent (Linux only). Raises SystemExit if the parent has just died."""
    if sys.platform.startswith("linux"):
        parent = os.getppid()
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
        if os.getppid() != parent:  # the parent died between the two calls above
            sys.exit(1)
