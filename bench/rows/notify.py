"""Decisions about notifications in one worker process: groups of 20 with no message read by any member."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from bench.load import GRACE
from bench.measures import Plan
from bench.population import ring
from bench.processes import ROOT, Failed
from bench.stage import Stage


@contextmanager
def notify(stage: Stage) -> Iterator[Plan]:
    requests = "\n".join(str(ring(number)) for number in range(stage.scale.ring))

    def decide(seconds: float) -> float:
        with psycopg.connect(stage.database_url) as connection:
            # Reset decisions and read cursors: every member of every group needs a decision and a notification.
            connection.execute("TRUNCATE subscriptions, notifications, notification_decisions")
            connection.execute("UPDATE memberships SET read_seq = joined_seq WHERE read_seq > joined_seq")
        done = subprocess.run(
            [sys.executable, "-m", "bench.notifier", str(seconds)],
            cwd=ROOT,
            env={**os.environ, **stage.environment(), "NOTIFY_AFTER_SECONDS": "0"},
            input=requests,
            capture_output=True,
            text=True,
            timeout=seconds + GRACE,
            preexec_fn=stage.cores.pin_measured(None),
            check=False,
        )
        if done.returncode:
            raise Failed(f"The worker ended: {done.stderr.strip().splitlines()[-1:]}")
        return float(done.stdout)

    yield Plan("decisions/s", {"all told": decide})
