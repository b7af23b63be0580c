"""A disk that stalls: an ext4 file system in a file, which `fsfreeze` stops. Only root can make one.

A write to it hangs in the kernel until the disk thaws: no signal ends it, as with a disk that does not answer.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from app.local.postgres import EmbeddedPostgres

MEGABYTES: Final = 1_024


class StallingDisk:
    """Mounted at `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._frozen = False

    def take_log_of(self, server: EmbeddedPostgres) -> None:
        """Restarts a running `server` with its write-ahead log on this disk."""
        server.stop()
        log = server.data / "pg_wal"
        moved = self.path / "pg_wal"
        _run("cp", "-a", log, moved)
        shutil.rmtree(log)
        log.symlink_to(moved)
        server.start()

    def freeze(self) -> None:
        _run("fsfreeze", "--freeze", self.path)
        self._frozen = True

    def thaw(self) -> None:
        if self._frozen:
            _run("fsfreeze", "--unfreeze", self.path)
            self._frozen = False


@contextmanager
def own_disk(directory: Path) -> Iterator[StallingDisk]:
    """Raises CalledProcessError where a file may not be mounted. Nothing may use the disk at the end."""
    image, path = directory / "disk.img", directory / "disk"
    path.mkdir()
    with image.open("wb") as file:
        os.truncate(file.fileno(), MEGABYTES * 2**20)
    _run("mkfs.ext4", "-q", "-F", image)
    _run("mount", "-o", "loop", image, path)
    path.chmod(0o711)
    disk = StallingDisk(path)
    try:
        yield disk
    finally:
        with suppress(subprocess.CalledProcessError):
            disk.thaw()
        _run("umount", path)


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True, timeout=30, capture_output=True)
