"""The console's lines: one form for events, requests and sockets."""

from __future__ import annotations

from typing import Any

import pytest

from app.telemetry.console import ConsoleLines

EVENT = {"timestamp": "2026-11-27T12:31:46.839865Z", "level": "warning", "process": "worker", "event": "mail_postponed"}
REQUEST = {
    "timestamp": "2026-11-27T12:31:46.798Z",
    "level": "info",
    "process": "api",
    "logger": "chat.requests",
    "event": "request",
    "request_id": "r-1",
    "method": "POST",
    "path": "/api/v1/users/",
    "status": 201,
    "ms": 186.4,
    "user": None,
}


def rendered(**fields: Any) -> str:
    return ConsoleLines(colors=False)(None, "info", {**EVENT, **fields})


def test_events_requests_and_sockets_have_the_same_columns() -> None:
    lines = ConsoleLines(colors=False)
    socket = REQUEST | {"method": "WEBSOCKET", "path": "/ws", "status": 4401, "user": "ada"}
    assert [rendered(logger="app.tasks.mail"), lines.request(REQUEST), lines.request(socket)] == [
        "2026-11-27T12:31:46.839Z warning  worker  mail_postponed logger=app.tasks.mail",
        "2026-11-27T12:31:46.798Z info     api     POST /api/v1/users/ 201 in 186.4 ms request_id=r-1",
        "2026-11-27T12:31:46.798Z info     api     WEBSOCKET /ws closed 4401 after 186.4 ms user=ada request_id=r-1",
    ]


@pytest.mark.parametrize(
    ("value", "shown"),
    [(5, "5"), ("plain", "plain"), ("two words", "'two words'"), ("a=b", "'a=b'"), ("", "''"), ("a\nb", r"'a\nb'")],
)
def test_a_value_cannot_be_taken_for_another_field_or_line(value: object, shown: str) -> None:
    assert rendered(why=value).endswith(f"mail_postponed why={shown}")


def test_a_traceback_follows_its_line() -> None:
    assert rendered(exception="Traceback:\nValueError").splitlines()[1:] == ["Traceback:", "ValueError"]


def test_colours_change_nothing_but_colours() -> None:
    coloured = ConsoleLines(colors=True).request(REQUEST)
    assert "\x1b[32minfo" in coloured
    assert "\x1b[33mwarning" in ConsoleLines(colors=True)(None, "info", dict(EVENT))
    assert "\x1b" not in ConsoleLines(colors=False).request(REQUEST)
