"""How long this machine's disk keeps others waiting: the time of one small synced write, five times a second.

A COMMIT cannot be faster than the disk below it. A virtual machine's disk may stop for seconds when its neighbours
write, and the promises of the chat are not about that: such pauses are recorded, as those of the driver itself are.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

INTERVAL_SECONDS: Final = 0.2
NOTICED_SECONDS: Final = 0.1
BLOCK: Final = bytes(8_192)
"""A page of Postgres."""


@contextmanager
def disk_probe(directory: Path, pauses: list[tuple[float, float]]) -> Iterator[None]:
    """Appends (end, seconds) of each slow write to `pauses` until the block ends."""
    ended = threading.Event()
    thread = threading.Thread(target=_probe, args=(directory / "probe", pauses, ended), name="disk probe", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(timeout=60)


def _probe(path: Path, pauses: list[tuple[float, float]], ended: threading.Event) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        while not ended.wait(INTERVAL_SECONDS):
            began = time.monotonic()
            os.pwrite(file, BLOCK, 0)
            os.fdatasync(file)
            if (seconds := time.monotonic() - began) >= NOTICED_SECONDS:
                pauses.append((time.monotonic(), seconds))
    finally:
        os.close(file)
