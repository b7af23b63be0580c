"""A stop leaves no process, whatever state the programs and supervisord are in."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from app.local.processes import free_port
from app.local.supervisord import PROGRAMS, Supervisord, seconds_since_start
from tests.support.chat import alive, until
from tests.support.processes import SECRET


@pytest.mark.timeout(90)
def test_a_stop_ends_suspended_programs_and_a_suspended_supervisord(tmp_path: Path) -> None:
    closed_port = free_port()
    environment = {
        "PATH": "/usr/bin:/bin",
        "SECRET_KEY": SECRET,
        "DATABASE_URL": f"postgresql://chat@127.0.0.1:{closed_port}/chat",
        "REDIS_URL": f"redis://127.0.0.1:{closed_port}/0",
        "DATA_DIR": str(tmp_path),
        "PORT": str(free_port()),
    }
    supervisord = Supervisord(tmp_path)
    supervisord.start(environment, {"worker": ["--concurrency=1"]})
    assert supervisord._process is not None
    head = psutil.Process(supervisord._process.pid)
    until(lambda: len(head.children()) == len(PROGRAMS), 30)
    until(lambda: len(head.children(recursive=True)) > len(PROGRAMS), 30)  # the worker has its own
    family = [head, *head.children(recursive=True)]
    seconds = seconds_since_start(tmp_path)
    assert seconds is not None
    assert 0 <= seconds < 60
    for process in family:
        process.suspend()
    supervisord.stop()
    until(lambda: alive(family) == [], 5, lambda: alive(family))
    assert seconds_since_start(tmp_path) is None
