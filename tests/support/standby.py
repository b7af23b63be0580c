"""A primary and its synchronous standby: every COMMIT waits until the standby has confirmed it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psycopg

from app.local.database_roles import ADMINISTRATOR
from app.local.postgres import EmbeddedPostgres

NAME: Final = "standby"
OPTIONS: Final = {"shared_buffers": "32MB", "max_wal_size": "1GB", "fsync": "off"}
COPY_SECONDS: Final = 60


class Pair:
    """`primary` waits for `standby` once `require` was called; `leave` and `come_back` are the standby's."""

    def __init__(self, primary: EmbeddedPostgres, directory: Path) -> None:
        self.primary = primary
        self.standby = EmbeddedPostgres(directory, options={**OPTIONS, "hot_standby": "on"})

    def start(self) -> None:
        """The standby as a copy of the primary, streaming from it."""
        account = self.standby.account
        for password in self.primary.directory.glob("password*"):
            shutil.copy(password, self.standby.directory)
        target = f"{self.primary.url('postgres', ADMINISTRATOR)}?application_name={NAME}"
        command: list[str | Path] = [
            account.binaries / "pg_basebackup",
            "-D",
            self.standby.data,
            "-d",
            target,
            "-R",
            "-c",
            "fast",
        ]
        subprocess.run(
            [*command, "--no-sync"],
            check=True,
            timeout=COPY_SECONDS,
            cwd=account.home,
            env={"LC_ALL": "C", "TZ": "UTC", "PATH": os.defpath},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            **account.run_as,
        )
        self.standby.start()

    def require(self, names: str = NAME) -> None:
        """From now on every COMMIT waits for a standby of that name."""
        require_standby(self.primary, names)

    def leave(self) -> None:
        """It goes, and the primary notices."""
        self.standby.stop()

    def come_back(self) -> None:
        self.standby.start()

    def promote(self) -> None:
        """The standby takes writes from now on."""
        with self.standby.connect() as connection:
            connection.execute("SELECT pg_promote(true, 20)")

    def stop(self) -> None:
        self.standby.stop()


def require_standby(primary: EmbeddedPostgres, names: str) -> None:
    """Every COMMIT waits for a standby of that name; for none when it is empty, and those that wait go on."""
    with primary.connect() as connection:
        connection.execute(b"ALTER SYSTEM SET synchronous_standby_names = '%b'" % names.encode())
        connection.execute("SELECT pg_reload_conf()")


def commits_that_wait(primary: EmbeddedPostgres) -> int:
    """How many COMMITs wait for a standby."""
    with primary.connect() as connection:
        row = connection.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'").fetchone()
    assert row is not None
    return int(str(row[0]))


@contextmanager
def frozen_backends(primary: EmbeddedPostgres) -> Iterator[None]:
    """Every backend of the chat stands still, as on a disk that does not answer: it hears no cancel, and its connection
    stays open. Only processes of this very server."""
    assert primary.process is not None
    with primary.connect() as connection:
        rows = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE application_name = 'chat' AND pid <> pg_backend_pid()"
        ).fetchall()
    pids = [int(str(pid)) for (pid,) in rows]
    try:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def stored_texts(url: str) -> list[str]:
    """The text of every message, as often as it is stored."""
    with psycopg.connect(url, connect_timeout=3) as connection:
        return [str(text) for (text,) in connection.execute("SELECT text FROM messages").fetchall()]
