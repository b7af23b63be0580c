"""Configures one log for the API, the worker, beat and their libraries: JSON in the file and in production, lines for
people (`console`) otherwise.

Every event, also a library's, is redacted before it is written. The file is bounded (10 MB, five older files) and
shared by all processes of DATA_DIR: the process that finds it full rotates it under a lock; the others reopen it.
"""

from __future__ import annotations

import fcntl
import logging
import logging.handlers
import os
import sys
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from typing import Any, Final

import msgspec
import structlog
from structlog.stdlib import ProcessorFormatter

from app.settings import Settings
from app.settings.data_dir import create_log_directory
from app.settings.terminal import has_colors
from app.telemetry import request_log
from app.telemetry.console import ConsoleLines
from app.telemetry.expected_refusals import without_tracebacks
from app.telemetry.redaction import redacted_field

FILE_BYTES: Final = 10_000_000
FILES_KEPT: Final = 5
SELF_CONFIGURED: Final = ("uvicorn", "uvicorn.error", "celery")  # these install their own handlers
ACCESS: Final = "uvicorn.access"
"""uvicorn logs a second line per request here, whatever `access_log` says, if this logger reaches a handler."""

PERIODIC: Final = ("celery.app.trace", "celery.beat", "celery.worker.request", "celery.worker.strategy")
"""They log the start and end of every task, every few seconds. Tasks log their own results."""

WARNS_REPEATEDLY: Final = "celery.worker.consumer.consumer"
"""It warns about every lost connection. `app.tasks.broker` logs a broker outage once."""

QUIET_LOGGERS: Final = ("asyncio", "celery.redirected", "urllib3", "multipart", *PERIODIC)


def configure(settings: Settings, *, process: str) -> None:
    """Sends everything this process logs through the same handlers. May be called again; the last call counts."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        without_tracebacks,
        structlog.processors.format_exc_info,
        structlog.processors.UnicodeDecoder(),
    ]

    def add_process(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
        event.pop("color_message", None)  # uvicorn adds a coloured copy of the message
        return {"process": process, **event}

    def formatter(renderer: structlog.typing.Processor, line: Callable[[Mapping[str, Any]], str]) -> Formatter:
        formatter = Formatter(
            foreign_pre_chain=shared,
            processors=[ProcessorFormatter.remove_processors_meta, add_process, _redact, renderer],
        )
        formatter.line = lambda fields: line({"process": process, **fields})
        return formatter

    json = formatter(structlog.processors.JSONRenderer(serializer=_as_json), _as_json)
    lines = ConsoleLines(colors=has_colors(sys.stdout))
    console = formatter(lines, lines.request)
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stdout)]
    handlers[0].setFormatter(json if settings.is_production else console)
    if settings.log_file:
        create_log_directory(settings)
        handlers.append(SharedFile(settings.log_file))
        handlers[1].setFormatter(json)
    handlers[0].addFilter(_after_requests)
    logging.basicConfig(handlers=handlers, level=settings.log_level, force=True)
    logging.captureWarnings(capture=True)
    for name in SELF_CONFIGURED:
        library = logging.getLogger(name)
        library.handlers.clear()
        library.setLevel(logging.NOTSET)
        library.propagate, library.disabled = True, False
    logging.getLogger(ACCESS).handlers.clear()
    logging.getLogger(ACCESS).propagate = False
    for name in QUIET_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger(WARNS_REPEATEDLY).setLevel(logging.ERROR)
    _processors[:] = [structlog.stdlib.filter_by_level, *shared, ProcessorFormatter.wrap_for_formatter]
    structlog.configure(
        processors=_processors,
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


_processors: list[structlog.typing.Processor] = []
"""One list, changed in place: a logger that was used before the process configures again keeps it."""


def configure_celery(settings: Settings, *, process: str) -> None:
    """Connects to `setup_logging`: Celery sets up its own logging unless that signal has a receiver."""
    from celery.signals import setup_logging

    def configure_process(**_: Any) -> None:
        configure(settings, process=process)

    setup_logging.connect(configure_process, weak=False, dispatch_uid="chat.logging")


class Formatter(ProcessorFormatter):
    """Also accepts records that carry many request lines, which need only rendering: redaction and the whole processor
    chain for each line would cost the API a tenth of its CPU time."""

    line: Callable[[Mapping[str, Any]], str]

    def format(self, record: logging.LogRecord) -> str:
        lines: list[Mapping[str, Any]] | None = getattr(record, "request_lines", None)
        return "\n".join(map(self.line, lines)) if lines else super().format(record)


class SharedFile(logging.handlers.RotatingFileHandler):
    """A bounded file that several processes write to. Each line is one write to a file opened for appending, so lines
    stay whole. The lock ensures that a full file is rotated once, not by every process that finds it full."""

    def __init__(self, path: Path, *, largest: int = FILE_BYTES, kept: int = FILES_KEPT) -> None:
        super().__init__(path, maxBytes=largest, backupCount=kept, encoding="utf-8", delay=True)
        self.path = path.absolute()
        self._rotation_lock = self.path.with_name(self.path.name + ".lock")
        for rotated in self.path.parent.glob(f"{self.path.name}.*"):
            with suppress(OSError), rotated.open() as file:
                _make_private(file.fileno())

    def emit(self, record: logging.LogRecord) -> None:
        if self.stream and not self._is_current():
            self._reopen()
        super().emit(record)

    def doRollover(self) -> None:  # noqa: N802 - the library's name
        with self._rotation_lock.open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if self._is_current():
                super().doRollover()
            else:
                self._reopen()

    def _open(self) -> TextIOWrapper:
        """Opens the file for this account alone: addresses and names of users stand in it."""
        return open(self.path, "a", encoding=self.encoding, opener=_open_private)

    def _is_current(self) -> bool:
        if not self.stream:
            return False
        try:
            current, opened = self.path.stat(), os.fstat(self.stream.fileno())
        except (OSError, ValueError):
            return False
        return (current.st_ino, current.st_dev) == (opened.st_ino, opened.st_dev)

    def _reopen(self) -> None:
        if self.stream:
            self.stream.close()
        self.stream = self._open()


def _open_private(path: str, flags: int) -> int:
    file = os.open(path, flags, 0o600)
    _make_private(file)
    return file


def _make_private(file: int) -> None:
    """Takes the permissions of others away from an open file of this account."""
    found = os.fstat(file)
    if found.st_uid == os.geteuid() and found.st_mode & 0o077:
        os.fchmod(file, 0o600)


def _after_requests(_record: logging.LogRecord) -> bool:
    """Writes the requests that ended before this record first. Filter of the first handler: all handlers follow it."""
    request_log.flush()
    return True


def _redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    return {name: redacted_field(name, value) for name, value in event.items()}


def _as_json(event: Mapping[str, Any], **_: Any) -> str:
    return msgspec.json.encode(event, enc_hook=str).decode()
