"""Starts and stops the embedded servers together. Their data stays in DATA_DIR between starts."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Final

import msgspec

from app.local import database_roles
from app.local.postgres import EmbeddedPostgres
from app.local.valkey import EmbeddedValkey

URLS_FILE: Final = "servers.json"


class EmbeddedServers:
    """The started servers; a server that is not embedded is None."""

    def __init__(self, data_dir: Path, postgres: EmbeddedPostgres | None, valkey: EmbeddedValkey | None) -> None:
        self.urls_file = data_dir / URLS_FILE
        self.postgres = postgres
        self.valkey = valkey

    @property
    def database_url(self) -> str:
        return self.postgres.url() if self.postgres else ""

    @property
    def migrate_database_url(self) -> str:
        return self.postgres.url(role=database_roles.OWNER) if self.postgres else ""

    @property
    def redis_url(self) -> str:
        return self.valkey.url if self.valkey else ""

    def revive(self, *, except_valkey: bool = False) -> list[str]:
        """Restarts servers that have exited, on their old ports if still free. Returns their class names."""
        revived = []
        for server in (self.postgres, None if except_valkey else self.valkey):
            if server and server.process and server.process.poll() is not None:
                server.start()
                revived.append(type(server).__name__.removeprefix("Embedded"))
        return revived

    def stop(self) -> None:
        self.urls_file.unlink(missing_ok=True)
        for server in (self.valkey, self.postgres):
            if server:
                server.stop()

    def write_urls(self, port: int | None) -> None:
        """Writes the URLs, and the API's port, to a file for other operator commands. They hold passwords, so only this
        account may read the file."""
        urls = {
            "DATABASE_URL": self.database_url,
            "MIGRATE_DATABASE_URL": self.migrate_database_url,
            "REDIS_URL": self.redis_url,
        }
        found = {name: url for name, url in urls.items() if url}
        if found and port is not None:
            found["PORT"] = str(port)
        self.urls_file.touch(mode=0o600)
        self.urls_file.write_bytes(msgspec.json.encode(found))


def start(
    data_dir: Path,
    *,
    postgres: bool = True,
    redis: bool = True,
    port: int | None = None,
    step: Callable[[str], AbstractContextManager[None]] = lambda _: nullcontext(),
) -> EmbeddedServers:
    """Starts all the requested servers or none, each in the context of its `step`. `port`: of the API that will use
    them. The caller holds `app.local.data_dir_lock`. Raises StartRefused."""
    servers = EmbeddedServers(
        data_dir,
        EmbeddedPostgres(data_dir / "postgres") if postgres else None,
        EmbeddedValkey(data_dir / "valkey") if redis else None,
    )
    try:
        if servers.valkey:
            with step("Valkey"):
                servers.valkey.start()
        if servers.postgres:
            with step("Postgres"):
                servers.postgres.start()
        servers.write_urls(port)
    except BaseException:
        servers.stop()
        raise
    return servers


def running(data_dir: Path) -> dict[str, str]:
    """Returns the URLs of the embedded servers that run on DATA_DIR and the port of their API, by setting name; empty
    if none run."""
    try:
        return msgspec.json.decode((data_dir / URLS_FILE).read_bytes(), type=dict[str, str])
    except (OSError, msgspec.DecodeError):
        return {}
