"""The web server of a process, and its graceful shutdown.

On a stop signal `readyz` answers 503, then sockets are closed with 1012 after their queued frames, then the process
stops listening and finishes running requests. uvicorn alone would cut sockets with frames still queued, refuse health
checks, and re-raise the signal, which would lose everything flushed at exit (error reports, the last log lines).
"""

from __future__ import annotations

import asyncio
import logging
import resource
import socket
import time
from types import FrameType
from typing import Any, Final, Protocol

import uvicorn
from uvicorn.supervisors import multiprocess

from app.server.limits import FILES_KEPT, MOST_FILES
from app.server.peer_counts import Peers

STARTUP_FAILED: Final = 3
log = logging.getLogger(__name__)


class Retirable(Protocol):
    """The object that the application stores in its state as `retiring`."""

    async def retire(self) -> None:
        """Turns readiness off and closes all sockets. Requests are still answered."""


class GracefulServer(uvicorn.Server):
    """`config.timeout_graceful_shutdown` counts from the signal; `notice` is the part of it that load balancers get to
    notice that this process is not ready."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.notice = config.notice

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        # uvicorn would re-raise the signal at the end, which would kill the process.
        self._captured_signals.clear()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        began = time.monotonic()
        grace = self.config.timeout_graceful_shutdown or 0
        application: Any = self.config.loaded_app
        retiring: Retirable = application.state.retiring
        try:
            async with asyncio.timeout(grace):
                await retiring.retire()
                await asyncio.sleep(max(0.0, began + self.notice - time.monotonic()))
        except TimeoutError:
            log.warning("not every socket closed in time")
        except Exception:
            log.exception("the sockets could not be closed")
        self.config.timeout_graceful_shutdown = max(1, round(began + grace - time.monotonic()))
        await super().shutdown(sockets)


class Config(uvicorn.Config):
    """`notice` is in seconds; `per_address` is the maximum of connections per network address (None: unlimited)."""

    def __init__(self, app: Any, *, notice: float = 0.0, per_address: int | None = None, **options: Any) -> None:
        super().__init__(app, **options)
        self.notice = notice
        self.peers = Peers(max_total=_raise_open_file_limit() - FILES_KEPT, max_per_address=per_address)


class Worker(multiprocess.Process):
    """One of several server processes that share a port."""

    config: Config

    @property
    def server(self) -> uvicorn.Server:
        if self._server is None:
            self._server = GracefulServer(self.config)
        return self._server


def run(config: Config) -> int:
    """Serves until a stop signal. Returns the exit code."""
    try:
        # asyncio would bind `::` for IPv6 alone; it means every address of this machine, as with several processes.
        sockets = [config.bind_socket()] if config.workers > 1 or ":" in config.host else None
    except OSError as error:
        log.error("cannot listen on %s: %s", config.host, error.strerror)
        return STARTUP_FAILED
    if sockets and config.workers > 1:
        multiprocess.Process = Worker  # type: ignore[misc]  # the supervisor looks it up in its module
        multiprocess.Multiprocess(config, sockets=sockets).run()
        return 0
    # Imported before uvicorn handles signals: it would note a stop signal and go on starting.
    config.load()
    server = GracefulServer(config)
    server.run(sockets)
    return 0 if server.started else STARTUP_FAILED


def _raise_open_file_limit() -> int:
    """Raises the process's limit of open files to MOST_FILES, or as far as allowed, and returns it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        return most
    return soft if soft != resource.RLIM_INFINITY else MOST_FILES
