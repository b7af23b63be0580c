"""A real Valkey from a wheel: bound to the loopback, with its own password.

It holds queues as well as the cache, so it syncs its append-only file every second, and a full memory evicts only keys
with an expiry, which may be lost. As with Postgres, one caller owns the directory at a time.
"""

from __future__ import annotations

import secrets
import signal
import subprocess
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Final

import redis

from app.local.os_account import valkey_binary
from app.local.processes import (
    StartRefused,
    dying_with_us,
    end,
    free_port,
    port_is_taken,
    stop_leftovers,
    wait_until,
)

START_SECONDS: Final = 30
OPTIONS: Final = {
    "bind": "127.0.0.1",
    "appendonly": "yes",
    "appendfsync": "everysec",
    "save": '""',
    "maxmemory": "512mb",
    "maxmemory-policy": "volatile-lru",
}


class EmbeddedValkey:
    """One server in `directory`. `options` are Valkey settings that override `OPTIONS`."""

    def __init__(self, directory: Path, *, port: int = 0, options: Mapping[str, str] | None = None) -> None:
        self.directory = directory.absolute()
        self.port = port or free_port()
        self.options = {**OPTIONS, **(options or {})}
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self.directory / "server.log"

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Starts the server and returns when it is ready. Raises StartRefused with the reason."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self.directory.chmod(0o700)
        stop_leftovers(self.directory, "valkey-server", signal.SIGTERM)
        for attempt in range(3):
            try:
                self._run()
                return
            except StartRefused:
                if attempt == 2 or not port_is_taken(self.port):
                    raise
                self.port = free_port()

    def stop(self) -> None:
        if self.process:
            end(self.process, (signal.SIGTERM, 4))

    def kill(self) -> None:
        """Ends the server as a power cut does."""
        if self.process:
            end(self.process)

    def _run(self) -> None:
        # The password goes into a file: every account on the machine can read a process's arguments.
        settings = {**self.options, "port": str(self.port), "requirepass": self.password, "dir": str(self.directory)}
        config = self.directory / "valkey.conf"
        config.touch(mode=0o600)
        config.write_text("".join(f"{key} {_quoted(value)}\n" for key, value in settings.items()))
        if self.log.exists():
            self.log.replace(self.log.with_suffix(".log.1"))
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [valkey_binary(), config],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.directory,
                start_new_session=True,
                preexec_fn=dying_with_us(signal.SIGTERM),
            )
        wait_until(self._answers, self.process, seconds=START_SECONDS, what="Valkey", log=self.log)

    def _answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.url, socket_timeout=1, socket_connect_timeout=1) as client:
                return bool(client.ping())
        except (redis.RedisError, OSError):
            return False

    @cached_property
    def password(self) -> str:
        file = self.directory / "password"
        if not file.exists():
            self.directory.mkdir(parents=True, exist_ok=True)
            file.touch(mode=0o600)
            file.write_text(secrets.token_urlsafe(24))
        return file.read_text()


def _quoted(value: str) -> str:
    return value if value == '""' else '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
