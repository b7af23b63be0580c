"""Ends what a run left running. Each process carries the run's name in its environment or its directory."""

from __future__ import annotations

import os
import uuid
from contextlib import suppress
from typing import Final

import psutil

VARIABLE: Final = "CHAT_TEST_RUN"


def name_this_run() -> None:
    """Called in the process a run begins in; all others inherit the name."""
    os.environ[VARIABLE] = uuid.uuid4().hex[:12]


def run_name() -> str:
    return os.environ.get(VARIABLE, "none")


def directory_prefix() -> str:
    return f"chat-tests-{run_name()}-"


def ended_leftovers() -> list[str]:
    """Ends what is left of this run and returns what it was."""
    ours = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    left = [process for process in psutil.process_iter() if process.pid not in ours and _is_of_this_run(process)]
    received = []
    for process in left:
        with suppress(psutil.Error):
            received.append(f"process {process.pid}: {' '.join(process.cmdline())[:160]}")
            process.kill()
    psutil.wait_procs(left, timeout=5)
    return received


def _is_of_this_run(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        if process.status() == psutil.STATUS_ZOMBIE or "multiprocessing.resource_tracker" in " ".join(
            process.cmdline()
        ):
            return False  # ends with the process that made it
        # Postgres gets an environment of its own, but lives in its data directory.
        return process.environ().get(VARIABLE) == run_name() or directory_prefix() in process.cwd()
    return False
