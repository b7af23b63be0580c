"""A database and broker of these tests' own, with a worker that knows tasks which misbehave."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import msgspec
import pytest

from app.settings import Settings
from app.wiring import make_celery
from tests.support.client import Node, Person
from tests.support.operators import root
from tests.support.places import Place, placed
from tests.support.servers import TestPostgres

MISBEHAVING = ("tests.support.misbehaving_tasks",)


class Channel:
    """What Slack's incoming webhook does: takes `{"text": …}`, refuses all else. Below `/alerts` it is any webhook, and
    takes what apprise sends as JSON."""

    def __init__(self) -> None:
        self.received: list[str] = []
        self.posted: list[dict[str, object]] = []
        channel = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, words = channel.take(self.path, self.headers.get("Content-Type", ""), body)
                self.send_response(status)
                if status == 307:
                    self.send_header("Location", "/alerts/secret-of-the-hook")
                self.end_headers()
                self.wfile.write(words)

            def log_message(self, *_: object) -> None:
                """Nothing to the console."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/services/T0/B0/secret-of-the-hook"
        self.alert_url = f"json://127.0.0.1:{self._server.server_address[1]}/alerts/secret-of-the-hook"

    def take(self, path: str, kind: str, body: bytes) -> tuple[int, bytes]:
        if path == "/moved":
            return 307, b"moved"
        if path == "/alerts/secret-of-the-hook":
            self.posted.append(msgspec.json.decode(body))
            return 200, b"ok"
        if path != "/services/T0/B0/secret-of-the-hook":
            return 404, b"no_service"
        try:
            text = msgspec.json.decode(body)["text"] if kind == "application/json" else ""
        except (msgspec.DecodeError, LookupError, TypeError):
            return 400, b"invalid_payload"
        if not text:
            return 400, b"no_text"
        self.received.append(text)
        return 200, b"ok"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture(scope="module")
def channel() -> Iterator[Channel]:
    found = Channel()
    yield found
    found.close()


@pytest.fixture(scope="module")
def place(postgres: TestPostgres, settings: Settings, channel: Channel) -> Iterator[Place]:
    with placed(postgres, settings, "tasks", SLACK_WEBHOOK_URL=channel.url, ALERT_URLS=channel.alert_url) as found:
        found.processes.worker(program=MISBEHAVING)
        yield found


@pytest.fixture(scope="module")
def url(place: Place) -> str:
    return place.processes.api().url


@pytest.fixture
async def operator(place: Place, url: str) -> AsyncIterator[Person]:
    make_celery(place.settings)
    node = Node(url)
    yield await root(node, place.settings.libpq_url)
    await node.close()


@pytest.fixture
def ran(tmp_path: Path) -> Path:
    """Where a task notes that it ran, a line each time."""
    return tmp_path / "ran"
