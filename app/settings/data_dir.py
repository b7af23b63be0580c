"""Creates DATA_DIR and the log's directory. DATA_DIR holds secrets, mails and logs, so only its account may read it."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from app.settings.model import Settings, SettingsRefused

PRIVATE: Final = 0o700
TRAVERSABLE: Final = 0o711
"""For root, whose Postgres runs as another account and passes through DATA_DIR to its own directory."""


def create(directory: Path) -> None:
    """Creates DATA_DIR for this account alone, or takes the permissions of others away. Raises OSError."""
    allowed = PRIVATE if os.geteuid() else TRAVERSABLE
    directory.mkdir(mode=allowed, parents=True, exist_ok=True)
    found = directory.stat()
    # A sticky directory, such as /tmp, is shared on purpose.
    if found.st_uid == os.geteuid() and not found.st_mode & stat.S_ISVTX:
        directory.chmod(stat.S_IMODE(found.st_mode) & allowed)


def create_log_directory(settings: Settings) -> None:
    """Raises SettingsRefused if the log cannot be written to the directory of LOG_FILE."""
    if settings.log_file is None:
        return
    directory = settings.log_file.parent
    inside = settings.data_dir in settings.log_file.parents
    try:
        if inside:
            create(settings.data_dir)
        directory.mkdir(parents=True, exist_ok=True)
        if not os.access(directory, os.W_OK | os.X_OK):
            raise PermissionError(0, "no permission to write")
    except OSError as error:
        raise unusable("DATA_DIR" if inside else "LOG_FILE", directory, error) from None


def unusable(name: str, path: Path, error: OSError) -> SettingsRefused:
    """Returns the refusal of a directory that cannot be created or written to."""
    return SettingsRefused([f"{name}: {path} cannot be used: {error.strerror}."])
