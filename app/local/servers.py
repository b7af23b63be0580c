"""The embedded servers behind one door: started together, stopped together, data kept in DATA_DIR between starts."""

from __future__ import annotations

from pathlib import Path

from app.local.postgres import Postgres
from app.local.valkey import Valkey


class Servers:
    """What was started; a server that is not embedded is None."""

    def __init__(self, postgres: Postgres | None, valkey: Valkey | None) -> None:
        self.postgres = postgres
        self.valkey = valkey

    @property
    def database_url(self) -> str:
        return self.postgres.url() if self.postgres else ""

    @property
    def redis_url(self) -> str:
        return self.valkey.url if self.valkey else ""

    def revive(self) -> list[str]:
        """Starts again, where it was, whatever has ended by itself. Returns names."""
        revived = []
        for server in (self.postgres, self.valkey):
            if server and server.process and server.process.poll() is not None:
                server.start()
                revived.append(type(server).__name__)
        return revived

    def stop(self) -> None:
        for server in (self.valkey, self.postgres):
            if server:
                server.stop()


def start(data_dir: Path, *, postgres: bool = True, redis: bool = True) -> Servers:
    """Starts what is asked for; all or none. The caller holds DATA_DIR (`app.local.lock`). Raises StartRefused."""
    servers = Servers(
        Postgres(data_dir / "postgres") if postgres else None, Valkey(data_dir / "valkey") if redis else None
    )
    try:
        if servers.valkey:
            servers.valkey.start()
        if servers.postgres:
            servers.postgres.start()
    except BaseException:
        servers.stop()
        raise
    return servers
