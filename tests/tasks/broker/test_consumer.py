"""A worker starts again after Celery gave up, and exits when it is stopped."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from app.local.processes import wait_until
from tests.support.places import Place
from tests.support.processes import Process

pytestmark = pytest.mark.timeout(60)
BEGINS = "worker_begins_anew"


def test_a_worker_that_celery_gave_up_starts_again(place: Place, tmp_path: Path) -> None:
    worker = place.processes.worker(program=("tests.support.unstable_worker", "once", str(tmp_path / "lost")))
    assert worker.said.count("Unrecoverable error") == worker.said.count(BEGINS) == 1
    assert worker.said.index(BEGINS) < worker.said.index("ready.")
    worker.process.send_signal(signal.SIGTERM)
    assert worker.process.wait(20) == 0
    assert worker.said.count(BEGINS) == 1


def test_a_stopped_worker_does_not_start_again(place: Place, tmp_path: Path) -> None:
    worker = Process(
        "worker",
        ["--concurrency=1"],
        place.processes.directory,
        place.processes.environment,
        ("tests.support.unstable_worker", "always", str(tmp_path / "never")),
    )
    place.processes.keep(worker)
    wait_until(lambda: worker.said.count(BEGINS) == 2, worker.process, seconds=30, what="a second loss", log=worker.log)
    worker.process.send_signal(signal.SIGTERM)
    assert worker.process.wait(20) == -signal.SIGTERM
    assert worker.said.count(BEGINS) == 2
