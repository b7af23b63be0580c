"""Carries out the outages that operators request (`app.development.plug`), in the loop of `chat up`.

This process is never unplugged, so the part comes back whatever happens, and a stop of the chat during an outage leaves
nothing running. A killed API is restarted by supervisord at once and waits, before it listens, for the file to go;
Valkey is this process's own child and is not revived until then.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Final

from app.development import plug
from app.development.plug import Part, PartOutage
from app.local.embedded import EmbeddedServers
from app.local.supervisord import Supervisord

NAMES: Final[dict[Part, str]] = {"redis": "Redis", "api": "The API"}


class PulledPlug:
    """One `tick` after another: finds a request, begins the outage at the next tick, ends it when its time is over."""

    def __init__(self, data_dir: Path, manager: Supervisord, servers: EmbeddedServers) -> None:
        self._data_dir = data_dir
        self._manager = manager
        self._servers = servers
        self._outage: PartOutage | None = None
        self._ends_at: float | None = None
        self.close()

    def tick(self) -> None:
        """Raises StartRefused if Valkey does not start again."""
        if self._outage is None:
            # Not at once: the request's response has yet to leave the API.
            self._outage = plug.requested(self._data_dir)
        elif self._ends_at is None:
            self._begin(self._outage)
        elif time.monotonic() >= self._ends_at:
            self._end(self._outage)

    @property
    def holds_valkey(self) -> bool:
        """Whether Valkey is away on purpose."""
        return self._ends_at is not None and self._outage is not None and self._outage.part == "redis"

    def close(self) -> None:
        """Forgets every request, also one that an earlier `chat up` left."""
        self._outage = self._ends_at = None
        plug.clear(self._data_dir)

    def _begin(self, outage: PartOutage) -> None:
        self._ends_at = time.monotonic() + outage.seconds
        if outage.part == "api":
            self._manager.kill("api")
        elif self._servers.valkey is not None:
            self._servers.valkey.kill()
        _say(f"{NAMES[outage.part]} is unplugged for {outage.seconds} s, as an operator requested")

    def _end(self, outage: PartOutage) -> None:
        if outage.part == "redis" and self._servers.valkey is not None:
            self._servers.valkey.start()
        self.close()
        _say(f"{NAMES[outage.part]} is plugged in again")


def _say(sentence: str) -> None:
    print(f"chat: {sentence}", file=sys.stderr, flush=True)
