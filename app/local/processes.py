"""Processes of ours: none outlives who started it, and none that is not ours is ever touched.

A process is ours when it runs *in* one of our data directories (both servers change into theirs) under the expected
name. Process ids are never trusted across a restart: the system hands them out again.
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
"""Outgoing connections take theirs from 32768 up on Linux, from 49152 elsewhere (RFC 6335)."""


class StartRefused(Exception):
    """Something cannot be started; the message is a sentence for whoever typed the command."""


def dying_with_us(gently: signal.Signals) -> Callable[[], None] | None:
    """For `preexec_fn`: the child gets this signal when we die, however we die. Linux only; elsewhere the next
    start stops what was left. Start children from the main thread: the kernel watches the starting thread."""
    if not sys.platform.startswith("linux"):
        return None
    libc, parent = ctypes.CDLL(None), os.getpid()

    def arrange() -> None:
        libc.prctl(PR_SET_PDEATHSIG, int(gently), 0, 0, 0)
        if os.getppid() != parent:  # we died between the fork and the line above
            os._exit(1)

    return arrange


def free_port() -> int:
    """A TCP port on the loopback that nobody holds at this moment. It may be taken before it is used: try again.

    It lies below the ports that kernels give to outgoing connections: a server that comes back finds it free.
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
    """Processes of that name whose working directory is this one."""
    found = []
    home = str(directory.resolve())
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.name() == name and process.cwd() == home:
                found.append(process)
    return found


def stop_leftovers(directory: Path, name: str, gently: signal.Signals, seconds: float = 10) -> None:
    """Ends what a killed run left in this directory, first as one asks, then by force. Raises StartRefused."""
    left = running_in(directory, name)
    ids = {process.pid for process in left}
    for process in left:
        with suppress(psutil.Error):
            if process.ppid() not in ids:  # the parent ends its children in its own order
                process.send_signal(gently)
    for process in psutil.wait_procs(left, timeout=seconds)[1]:
        with suppress(psutil.Error):
            process.kill()
    if stubborn := psutil.wait_procs(left, timeout=5)[1]:
        raise StartRefused(f"A {name} of an earlier run (process {stubborn[0].pid}) cannot be ended.")


def end(process: subprocess.Popen[bytes], *signals: tuple[signal.Signals, float]) -> None:
    """Sends each signal and gives it its seconds; whoever is still there then is killed."""
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
    """Waits until `ready()`; raises StartRefused when the process ends or the time does."""
    deadline = time.monotonic() + seconds
    while not ready():
        if process.poll() is not None:
            raise StartRefused(f"{what} ended at once ({last_words(log)}).")
        if time.monotonic() > deadline:
            raise StartRefused(f"{what} was not ready within {seconds:.0f} seconds ({last_words(log)}).")
        time.sleep(0.02)


def last_words(log: Path) -> str:
    """The last line of a log, for a sentence."""
    lines = log.read_text(errors="replace").split("\n") if log.exists() else []
    return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")


def tie() -> None:
    """Tie this process to its parent. Raises SystemExit when that has just died."""
    if sys.platform.startswith("linux"):
        parent = os.getppid()
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
        if os.getppid() != parent:  # it died between the two lines above
            sys.exit(1)
