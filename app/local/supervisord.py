"""Runs the API, worker and beat under supervisord: restarts them after a crash, stops them together, kills stragglers.

supervisord is a foreground child in its own session. Ctrl-C reaches the terminal's whole process group, so its
children would otherwise receive the signal twice, and Celery takes the second as an immediate shutdown. On Linux each
child dies with its parent, so a kill -9 of any of them leaves nothing running. On other systems the next start ends
leftovers, which it finds through a note in DATA_DIR.
"""

from __future__ import annotations

import os
import pwd
import shlex
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec
import psutil

from app.local.processes import dying_with_us, end

STOP_SECONDS: Final = 7
STARTS: Final = 1_000_000  # each restart waits one second longer; a database outage may last a day
NOTE: Final = "up.json"
PROGRAMS: Final = ("api", "worker", "beat")

CONFIGURATION: Final = """\
[supervisord]
nodaemon = true
logfile = /dev/null
logfile_maxbytes = 0
loglevel = warn
pidfile = {home}/supervisord.pid
childlogdir = {home}
{account}
# One group: its programs receive the stop signal together; groups stop one after another.
[group:chat]
programs = {programs}
"""

PROGRAM: Final = """
[program:{name}]
command = {command}
autorestart = true
startsecs = 1
startretries = {starts}
stopsignal = TERM
stopwaitsecs = {stop}
killasgroup = true
redirect_stderr = true
stdout_logfile = /dev/fd/1
stdout_logfile_maxbytes = 0
"""


class Note(msgspec.Struct, frozen=True):
    """Identifies a supervisord that we started. Process ids are reused, so the start time is compared as well."""

    pid: int
    began: float


class Supervisord:
    """supervisord with its files in `data_dir`. `start` takes extra command arguments by program name."""

    def __init__(self, data_dir: Path) -> None:
        self._home = data_dir
        self._process_file = data_dir / NOTE
        self._configuration = data_dir / "supervisord.conf"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, environment: dict[str, str], arguments: dict[str, list[str]]) -> None:
        self._configuration.write_text(self._configuration_text(arguments), encoding="utf-8")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "app.local.supervisord_main", "-c", str(self._configuration)],
            env=environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=dying_with_us(signal.SIGTERM),
        )
        began = psutil.Process(self._process.pid).create_time()
        self._process_file.write_bytes(msgspec.json.encode(Note(self._process.pid, began)))

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def kill(self, program: str) -> None:
        """Kills a program and its children, as a power cut does. supervisord starts it again."""
        assert self._process is not None
        with suppress(psutil.Error):
            for child in psutil.Process(self._process.pid).children():
                with suppress(psutil.Error):
                    if program in child.cmdline():
                        for process in (*child.children(recursive=True), child):
                            process.kill()

    def stop(self) -> None:
        """Stops supervisord, which stops its programs first. Kills all that is left after the programs' stop time and
        1.5 s: programs first, since the kernel wakes those that were suspended with SIGHUP when supervisord ends, upon
        which Celery starts again."""
        if self._process is not None:
            if self.is_running:
                self._process.terminate()
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(STOP_SECONDS + 1.5)
            with suppress(psutil.NoSuchProcess):
                for program in psutil.Process(self._process.pid).children(recursive=True):
                    with suppress(psutil.NoSuchProcess):
                        program.kill()
            end(self._process)
        for file in (self._process_file, self._configuration, self._home / "supervisord.pid"):
            file.unlink(missing_ok=True)

    def end_leftovers(self) -> None:
        """Ends the processes left by a killed `chat up`. The caller holds the lock on DATA_DIR, so none is in use."""
        with suppress(OSError, msgspec.DecodeError, psutil.Error):
            note = msgspec.json.decode(self._process_file.read_bytes(), type=Note)
            leftover = psutil.Process(note.pid)
            if leftover.create_time() == note.began:
                family = [leftover, *leftover.children(recursive=True)]
                leftover.terminate()
                for process in psutil.wait_procs(family, timeout=STOP_SECONDS + 2)[1]:
                    process.kill()
        self._process_file.unlink(missing_ok=True)

    def _configuration_text(self, arguments: dict[str, list[str]]) -> str:
        # supervisord expands percent signs, also in paths.
        home = str(self._home.resolve()).replace("%", "%%")
        # Name root explicitly, or supervisord logs a critical message at every start.
        account = f"user = {pwd.getpwuid(0).pw_name}\n" if os.geteuid() == 0 else ""
        parts = [CONFIGURATION.format(home=home, account=account, programs=",".join(PROGRAMS))]
        for name in PROGRAMS:
            argv = [sys.executable, "-m", "app.cli", "--tied", name, *arguments.get(name, [])]
            command = shlex.join(argv).replace("%", "%%")
            parts.append(PROGRAM.format(name=name, command=command, starts=STARTS, stop=STOP_SECONDS))
        return "".join(parts)


def seconds_since_start(data_dir: Path) -> float | None:
    """Returns how long the processes of a `chat up` on `data_dir` have been running; None if there is none."""
    with suppress(OSError, msgspec.DecodeError, psutil.Error):
        note = msgspec.json.decode((data_dir / NOTE).read_bytes(), type=Note)
        if psutil.Process(note.pid).create_time() == note.began:
            return max(0.0, time.time() - note.began)
    return None
