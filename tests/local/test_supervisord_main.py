"""The process manager: a stop signal reaches a program in any moment of its start."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from app.settings import environment_for_child
from tests.support.processes import ROOT

FORKED = """
import os, signal, time
from app.local.supervisord_main import fork

for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda *_: None)  # supervisord notes it
child = fork()
if not child:
    time.sleep(5)  # before its exec
    os._exit(0)
os.kill(child, signal.SIGTERM)
print(os.WTERMSIG(os.waitpid(child, 0)[1]), signal.pthread_sigmask(signal.SIG_BLOCK, ()))
"""


STARTED = """
from supervisor import supervisord

from app.local import supervisord_main

supervisord_main.fork = lambda: "ours"
supervisord.main = lambda: print(supervisord.ServerOptions().fork())
supervisord_main.main()
"""


def test_a_program_that_is_stopped_before_it_begins_ends() -> None:
    run = subprocess.run([sys.executable, "-c", FORKED], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert run.stdout == f"{int(signal.SIGTERM)} set()\n", run.stderr


def test_supervisord_starts_its_programs_with_that_fork(tmp_path: Path) -> None:
    environment = environment_for_child(
        DATABASE_URL="postgresql://127.0.0.1/unused",
        REDIS_URL="redis://127.0.0.1/0",
        DATA_DIR=str(tmp_path),
        LOG_FILE="",
    )
    run = subprocess.run(
        [sys.executable, "-c", STARTED], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )
    assert run.stdout == "ours\n", run.stderr
