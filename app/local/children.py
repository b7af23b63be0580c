"""The chat's own processes under the supervisor: each in a session of its own, revived when it falls, ended together.

A session of its own, because Ctrl-C reaches a terminal's whole group: children would hear it twice, and Celery takes
the second for "drop everything". And because a fallen parent's children (Celery's pool) can then be found and ended.
What runs is noted in DATA_DIR, so that the start after a kill -9 can end what was left.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec
import psutil

from app.local.processes import dying_with_us

STOP_SECONDS: Final = 7
LONGEST_PAUSE: Final = 30.0
MARK: Final = "app.cli"


class Note(msgspec.Struct, frozen=True):
    """A session leader of ours. A process id alone says nothing after a restart: the time it began settles it."""

    pid: int
    began: float


class Child:
    def __init__(self, name: str, arguments: list[str], environment: dict[str, str]) -> None:
        self.name = name
        self.arguments = arguments
        self.environment = environment
        self.process: subprocess.Popen[bytes] | None = None
        self.pause = 0.0
        self.begin_at = 0.0

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", MARK, self.name, *self.arguments],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=dying_with_us(signal.SIGTERM),
        )

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def revive(self, now: float) -> str:
        """Starts a fallen child again, after a pause that doubles. Answers what happened, for the log."""
        if self.process is not None and self.process.poll() is not None:
            code, self.process = self.process.returncode, None
            self.pause = min(max(1.0, self.pause * 2), LONGEST_PAUSE) if now < self.begin_at + 60 else 1.0
            self.begin_at = now + self.pause
            return f"{self.name} ended by itself (code {code}); starting it again in {self.pause:.0f} s"
        if self.process is None and now >= self.begin_at:
            self.start()
        return ""


class Children:
    def __init__(self, data_dir: Path) -> None:
        self.notes = data_dir / "up.json"
        self.all: list[Child] = []
        self.sessions: list[Note] = []

    def start(self, name: str, arguments: list[str], environment: dict[str, str]) -> Child:
        child = Child(name, arguments, environment)
        self.all.append(child)
        child.start()
        self._note()
        return child

    def revive(self) -> list[str]:
        happened = [child.revive(time.monotonic()) for child in self.all]
        if any(happened):
            self._end_strays([note for note in self.sessions if not _leads(note)])
        self._note()
        return [line for line in happened if line]

    def stop(self) -> None:
        """Asks all at once, waits for them together, ends by force who is still there."""
        deadline = time.monotonic() + STOP_SECONDS
        running = [child.process for child in self.all if child.process and child.process.poll() is None]
        for process in running:
            process.send_signal(signal.SIGTERM)
        for process in running:
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.1, deadline - time.monotonic()))
        self._end_strays(self.sessions)
        for process in running:
            process.wait(5)
        self.notes.unlink(missing_ok=True)

    def end_leftovers(self) -> None:
        """Ends what an earlier supervisor was killed away from. The caller holds DATA_DIR, so it is nobody's now."""
        with suppress(OSError, msgspec.DecodeError):
            self._end_strays(msgspec.json.decode(self.notes.read_bytes(), type=list[Note]))
        self.notes.unlink(missing_ok=True)

    def _note(self) -> None:
        known = {note.pid for note in self.sessions}
        for child in self.all:
            if child.process and child.process.pid not in known:
                with suppress(psutil.Error):
                    began = psutil.Process(child.process.pid).create_time()
                    self.sessions.append(Note(child.process.pid, began))
        draft = self.notes.with_suffix(".new")
        draft.write_bytes(msgspec.json.encode(self.sessions))
        draft.replace(self.notes)

    def _end_strays(self, sessions: list[Note]) -> None:
        """Kills every process of these sessions: leaders and whatever they left behind."""
        by_id = {note.pid: note for note in sessions}
        strays = [process for process in psutil.process_iter() if _belongs(process, by_id)]
        for process in strays:
            with suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(strays, timeout=3)


def _belongs(process: psutil.Process, sessions: dict[int, Note]) -> bool:
    try:
        note = sessions.get(os.getsid(process.pid))
        if note is None or process.status() == psutil.STATUS_ZOMBIE:
            return False
        # While a session has members its number is not given out again; the name guards the moment after.
        began = process.create_time()
        return began == note.began if process.pid == note.pid else began >= note.began and _is_python(process)
    except (OSError, psutil.Error):
        return False


def _is_python(process: psutil.Process) -> bool:
    words = process.cmdline()
    return any(MARK in word or "multiprocessing" in word or "celery" in word for word in words)


def _leads(note: Note) -> bool:
    try:
        return psutil.Process(note.pid).create_time() == note.began
    except psutil.Error:
        return False
