"""The process manager: a stop signal reaches a program in any moment of its start."""

from __future__ import annotations

import signal
import subprocess
import sys

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


def test_a_program_that_is_stopped_before_it_begins_ends() -> None:
    run = subprocess.run([sys.executable, "-c", FORKED], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert run.stdout == f"{int(signal.SIGTERM)} set()\n", run.stderr
