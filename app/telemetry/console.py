"""Renders the log for people: `time level process: what happened  field=value …`, times in UTC.

Events, requests and sockets are lines of one form. With colours, the level's stands out.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any, Final

from structlog.dev import Column, ConsoleRenderer, KeyValueColumnFormatter

from app.telemetry.request_log import SOCKET

RESET: Final = "\x1b[0m"
DIM: Final = "\x1b[2m"
BOLD: Final = "\x1b[1m"
CYAN: Final = "\x1b[36m"
LEVELS: Final = {
    "debug": DIM,
    "info": "\x1b[32m",
    "warning": "\x1b[33m",
    "error": "\x1b[31m",
    "critical": "\x1b[1;31m",
}
LEVEL_WIDTH: Final = 8
PROCESS_WIDTH: Final = 7
MILLISECONDS: Final = len("2026-01-01T00:00:00.000")


class ConsoleLines:
    """A structlog processor, and `request` for the lines of `app.telemetry.request_log`."""

    def __init__(self, *, colors: bool) -> None:
        self._levels = {level: (color, RESET) if colors else ("", "") for level, color in LEVELS.items()}
        dim, bold, cyan, reset = (DIM, BOLD, CYAN, RESET) if colors else ("", "", "", "")
        self._render = ConsoleRenderer(
            columns=[
                Column("", KeyValueColumnFormatter(cyan, "", reset, _shown)),
                Column("timestamp", KeyValueColumnFormatter(None, dim, reset, str)),
                Column("level", self._level),
                Column("process", KeyValueColumnFormatter(None, dim, reset, str, width=PROCESS_WIDTH)),
                Column("event", KeyValueColumnFormatter(None, bold, reset, str)),
            ],
            sort_keys=False,
        )

    def __call__(self, logger: Any, method: str, event: MutableMapping[str, Any]) -> str:
        event["timestamp"] = f"{event['timestamp'][:MILLISECONDS]}Z"
        return self._render(logger, method, event)

    def request(self, fields: Mapping[str, Any]) -> str:
        """Returns the line of a request, or of a socket that has closed."""
        what = "closed {status} after {ms} ms" if fields["method"] == SOCKET else "{status} in {ms} ms"
        event = {
            "timestamp": fields["timestamp"],
            "level": fields["level"],
            "process": fields["process"],
            "event": f"{fields['method']} {fields['path']} {what.format_map(fields)}",
        }
        if fields["user"]:
            event["user"] = fields["user"]
        return self(None, "info", event | {"request_id": fields["request_id"]})

    def _level(self, key: str, value: object) -> str:
        del key
        color, reset = self._levels.get(str(value), ("", ""))
        return f"{color}{value!s:<{LEVEL_WIDTH}}{reset}"


def _shown(value: object) -> str:
    """Returns a field's value; quoted if it could be taken for several fields or lines."""
    text = str(value)
    return repr(text) if not text or any(one in " ='\"" or not one.isprintable() for one in text) else text
