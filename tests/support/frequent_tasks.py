"""A worker or beat with short periods: `python -m tests.support.frequent_tasks FILE worker …`.

Each periodic task that ends well is a line in the file, with the second in which it did.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any, Final

from celery import signals

from app.cli import main
from app.tasks import celery_app

PERIOD: Final = 5.0
"""Seconds; that of the most frequent ones."""


def note(notes: Path) -> None:
    def done(sender: Any = None, **_: object) -> None:
        with notes.open("a") as file:
            file.write(f"{time.time()} {sender.name}\n")

    signals.task_success.connect(done, weak=False)


def noted(notes: Path, since: float) -> dict[str, float]:
    """By periodic task: how many seconds after `since` it ended well for the first time."""
    found: dict[str, float] = {}
    for line in notes.read_text().splitlines():
        at, name = line.split()
        if float(at) > since and name in celery_app.PERIODIC:
            found.setdefault(name, float(at) - since)
    return found


if __name__ == "__main__":
    note(Path(sys.argv[1]))
    celery_app.PERIODIC = dict.fromkeys(celery_app.PERIODIC, PERIOD)
    sys.exit(main(sys.argv[2:]))
