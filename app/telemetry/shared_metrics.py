"""Adds up the metrics of the processes that share a port: a scrape reaches any one of them and must return the sum.

Each process keeps its values in files of one directory (the multiprocess mode of prometheus_client), and a scrape adds
up all files. The files of a process that died stay, except its gauges: without them the counters would go backwards.

The directory is in memory where the system allows it. The files are mapped, and a disk without space would end the
process that writes to them.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

PREFIX: Final = "chat-metrics-"
YOUNG_SECONDS: Final = 60
MEMORY: Final = Path("/dev/shm")  # noqa: S108 - the directory in it has a random name and belongs to this account


@contextmanager
def directory() -> Iterator[Path]:
    """Creates a directory for the processes of one `chat api`, and removes it at the end. Also removes the directories
    of killed ones: each is locked for as long as its `chat api` runs."""
    parent = MEMORY if os.access(MEMORY, os.W_OK | os.X_OK) else Path(tempfile.gettempdir())
    for left in parent.glob(f"{PREFIX}*"):
        # A young one may belong to a process that is about to lock it.
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > YOUNG_SECONDS:
                with _locked(left):
                    shutil.rmtree(left)
    with (
        tempfile.TemporaryDirectory(prefix=PREFIX, dir=parent, ignore_cleanup_errors=True) as made,
        _locked(Path(made)),
    ):
        yield Path(made)


@contextmanager
def _locked(place: Path) -> Iterator[None]:
    """Raises BlockingIOError if another process holds the lock."""
    descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


class Exposition:
    """Writes metrics in Prometheus' text format: of this process, or of all processes that share `directory`."""

    def __init__(self, directory: str, *collectors: Collector) -> None:
        self._directory = directory
        self._collectors = collectors

    def text(self) -> bytes:
        """Takes milliseconds: call it in a thread."""
        registry = CollectorRegistry()
        for collector in self._collectors:
            registry.register(collector)
        if not self._directory:
            return generate_latest(REGISTRY) + generate_latest(registry)
        _remove_gauges_of_dead(Path(self._directory))
        MultiProcessCollector(registry, self._directory)  # type: ignore[no-untyped-call]  # it has no types
        return generate_latest(registry)


def _remove_gauges_of_dead(place: Path) -> None:
    for file in place.glob("gauge_live*_*.db"):
        try:
            os.kill(int(file.stem.rpartition("_")[2]), 0)
        except ProcessLookupError:
            file.unlink(missing_ok=True)
        except PermissionError:
            continue
