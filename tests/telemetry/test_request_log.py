"""One line per request, with its user and route, and none of its content."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from app.telemetry import request_log
from app.telemetry.request_log import HEADER, RequestLog


class Listener(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines += record.request_lines  # type: ignore[attr-defined]


@pytest.fixture
def listener() -> Iterator[Listener]:
    log, listener = logging.getLogger("chat.requests"), Listener()
    before = log.level
    log.addHandler(listener)
    log.setLevel(logging.INFO)
    yield listener
    log.removeHandler(listener)
    log.setLevel(before)


async def ask(path: str, *headers: tuple[bytes, bytes], fails: bool = False) -> tuple[RequestLog, dict[bytes, bytes]]:
    sent: list[Any] = []

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        scope["user"] = SimpleNamespace(user="0199-ada")
        if fails:
            raise RuntimeError("handler")
        await send({"type": "http.response.start", "status": 201, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": b""})

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError("the log reads no body")

    log = RequestLog(inner)
    scope = {"type": "http", "method": "POST", "path": path, "query_string": b"token=canary", "state": {}}
    scope["headers"] = [(b"authorization", b"Bearer canary"), *headers]
    try:
        await log(scope, receive, send)
    finally:
        log.flush()
    return log, dict(sent[0]["headers"])


async def test_a_request_is_one_line_with_its_status_and_user(listener: Listener) -> None:
    _, headers = await ask("/api/v1/me/")
    (line,) = listener.lines
    assert line["method"] == "POST"
    assert line["path"] == "/api/v1/me/"
    assert line["status"] == 201
    assert line["user"] == "0199-ada"
    assert line["request_id"].encode() == headers[HEADER]
    assert "canary" not in str(line)


async def test_a_harmless_request_id_of_a_client_is_kept(listener: Listener) -> None:
    _, headers = await ask("/", (HEADER, b"trace-7.a_B"))
    assert headers[HEADER] == b"trace-7.a_B"
    assert listener.lines[0]["request_id"] == "trace-7.a_B"


@pytest.mark.parametrize("forged", [b"", b"a b", b"x" * 65, b"line\nbreak", b"\xff", b"<script>"])
async def test_a_harmful_request_id_is_replaced(listener: Listener, forged: bytes) -> None:
    _, headers = await ask("/", (HEADER, forged))
    assert headers[HEADER] != forged
    assert len(headers[HEADER]) == 32


async def test_a_path_with_a_token_is_redacted(listener: Listener) -> None:
    await ask("/anything/token=canary-token")
    assert "canary-token" not in str(listener.lines)


async def test_health_checks_leave_no_line_unless_they_fail(listener: Listener) -> None:
    await ask("/readyz")
    assert listener.lines == []


async def test_a_request_that_raises_is_logged(listener: Listener) -> None:
    with pytest.raises(RuntimeError):
        await ask("/api/v1/me/", fails=True)
    assert len(listener.lines) == 1


async def test_a_path_cannot_add_lines_to_the_log(listener: Listener) -> None:
    await ask("/users/\n2026-01-01 POST /login 200\x85\u2028\x1b[31mé")
    assert listener.lines[0]["path"] == "/users/\\n2026-01-01 POST /login 200\\x85\\u2028\\x1b[31mé"


async def test_a_long_path_is_truncated_before_it_is_redacted(listener: Listener) -> None:
    await ask("/" + "eyJ-" * 15_000 + "~")
    assert len(listener.lines[0]["path"]) == request_log.LONGEST_PATH


async def test_requests_without_a_login_log_a_bounded_number_of_lines_a_minute(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_log, "STRANGERS_LINES", 3)
    monkeypatch.setattr(request_log, "WINDOW_SECONDS", 0.2)

    async def nowhere(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 404})

    async def unheard(message: Any = None) -> Any:
        del message

    log = RequestLog(nowhere)
    with capture_logs() as said:
        for at in range(10):
            await log({"type": "http", "method": "GET", "path": f"/{at}", "headers": []}, unheard, unheard)
        for _ in range(100):
            if said:
                break
            await asyncio.sleep(0.05)
    log.flush()
    assert [line["path"] for line in listener.lines] == ["/0", "/1", "/2"]
    assert [(line["event"], line["requests"]) for line in said] == [("requests_not_logged", 7)]

    await log({"type": "http", "method": "GET", "path": "/next-minute", "headers": []}, unheard, unheard)
    log.flush()
    assert listener.lines[-1]["path"] == "/next-minute"


async def test_lines_are_written_before_whatever_the_process_logs_next(listener: Listener) -> None:
    async def inner(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})

    async def nothing(_message: Any = None) -> Any:
        return None

    first, second = RequestLog(inner), RequestLog(inner)
    for log, path in ((first, "/a"), (second, "/b"), (first, "/c")):
        await log({"type": "http", "method": "GET", "path": path, "headers": []}, nothing, nothing)
    assert listener.lines == []
    request_log.flush()
    assert sorted(line["path"] for line in listener.lines) == ["/a", "/b", "/c"]
    request_log.flush()
    assert len(listener.lines) == 3


@pytest.mark.parametrize(("code", "status"), [(1001, 1001), (None, 1005)])
async def test_a_socket_of_another_server_shows_the_code_of_its_disconnect(
    listener: Listener, code: int | None, status: int
) -> None:
    async def inner(_scope: Any, receive: Any, _send: Any) -> None:
        await receive()

    async def gone() -> Any:
        return {"type": "websocket.disconnect"} | ({} if code is None else {"code": code})

    async def nowhere(_message: Any) -> None:
        raise AssertionError("nothing is sent")

    log = RequestLog(inner)
    await log({"type": "websocket", "path": "/ws", "headers": []}, gone, nowhere)
    log.flush()
    assert [(line["method"], line["status"]) for line in listener.lines] == [("WEBSOCKET", status)]


async def test_a_socket_that_is_refused_before_its_handshake_ends_shows_that_code(listener: Listener) -> None:
    async def inner(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "websocket.close", "code": 4404})

    async def nothing(_message: Any = None) -> Any:
        return None

    log = RequestLog(inner)
    server = {"chat.wire": SimpleNamespace(close_code=None)}
    await log({"type": "websocket", "path": "/readyz", "headers": [], "extensions": server}, nothing, nothing)
    log.flush()
    assert [line["status"] for line in listener.lines] == [4404]


async def test_requests_of_users_are_logged_despite_many_anonymous_ones(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_log, "STRANGERS_LINES", 0)
    await ask("/api/v1/me/")
    assert listener.lines[0]["user"] == "0199-ada"
