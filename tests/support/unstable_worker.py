"""`python -m tests.support.unstable_worker HOW FILE worker …`: a worker that Celery gives up on until FILE exists.

With `once`, it makes the file as it goes.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from celery.worker.consumer import Consumer

from app.cli import main


def lose(marker: Path, *, once: bool) -> None:
    begin = Consumer.start

    def start(self: Any) -> None:
        if marker.exists():
            begin(self)
            return
        if once:
            marker.touch()
        # As kombu's client of Redis says it, when it loses its connection while it gives a message back.
        raise AttributeError("'NoneType' object has no attribute 'hostname'")

    Consumer.start = start


if __name__ == "__main__":
    lose(Path(sys.argv[2]), once=sys.argv[1] == "once")
    sys.exit(main(sys.argv[3:]))
