"""Allows one `chat up` per DATA_DIR: two would start servers on the same files. The lock ends with its process."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.local.processes import StartRefused


@contextmanager
def held(data_dir: Path) -> Iterator[None]:
    """Locks DATA_DIR for the duration of the context. Raises StartRefused if another process holds the lock."""
    data_dir.mkdir(parents=True, exist_ok=True)
    with (data_dir / "up.lock").open("a+") as file:
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
