"""Allows one `chat up` per DATA_DIR: two would start servers on the same files. The lock ends with its process."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from app.local.processes import StartRefused
from app.settings.data_dir import create


@contextmanager
def held(data_dir: Path) -> Iterator[None]:
    """Locks DATA_DIR for the duration of the context. Raises StartRefused if another process holds the lock, or if
    DATA_DIR cannot be written to."""
    with _opened(data_dir) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise StartRefused(
                f"A chat is running on {data_dir} already (process {file.read().strip()}): "
                "stop it first, or set DATA_DIR and PORT for a second one."
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _opened(data_dir: Path) -> TextIO:
    try:
        create(data_dir)
        return (data_dir / "up.lock").open("a+")
    except OSError as error:
        raise StartRefused(f"DATA_DIR: {data_dir} cannot be used: {error.strerror}.") from None
