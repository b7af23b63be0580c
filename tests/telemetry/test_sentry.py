"""What reaches Sentry says what failed, and holds no body, token, password or message text."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import msgspec
import pytest
import sentry_sdk
from litestar import Litestar, post
from litestar.params import JSONBody
from litestar.testing import TestClient
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport
from sqlalchemy import create_engine, text

from app.settings import Settings
from app.telemetry import sentry

# Made up anew in each run: the lines of source that Sentry shows around an error must not contain them.
WORD = {name: f"canary{uuid4().hex}" for name in ("text", "password", "token", "query", "cookie", "email")}


class Captured(Transport):
    """Stands for the outside world: keeps what would have been sent."""

    def __init__(self) -> None:
        super().__init__()
        self.envelopes: list[Envelope] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        self.envelopes.append(envelope)

    def everything(self) -> str:
        sentry_sdk.flush(2)
        return b"\n".join(envelope.serialize() for envelope in self.envelopes).decode()


@pytest.fixture
def captured(monkeypatch: pytest.MonkeyPatch) -> Iterator[Captured]:
    transport = Captured()
    monkeypatch.setattr(sentry, "SAMPLED", 1.0)
    settings = Settings(sentry_dsn="https://public@errors.example.org/1", environment="production")
    sentry.start(settings, process="api", transport=transport)
    yield transport
    sentry_sdk.get_client().close(timeout=1)
    sentry_sdk.init()


def test_without_a_dsn_nothing_is_started() -> None:
    sentry.start(Settings(), process="api")
    assert not sentry_sdk.get_client().is_active()


def test_an_error_in_a_request_carries_nothing_of_the_request(captured: Captured, database_url: str) -> None:
    @post("/messages", sync_to_thread=False)
    def send(data: JSONBody[dict[str, Any]]) -> None:
        secret = data["text"]
        logging.getLogger("app").warning("storing password=%s", data["password"])
        engine = create_engine(database_url.replace("postgresql:", "postgresql+psycopg:", 1))
        try:
            with engine.connect() as connection:
                connection.execute(text("SELECT CAST(:text AS integer)"), {"text": secret})
        finally:
            engine.dispose()

    with TestClient(Litestar([send], logging_config=None), raise_server_exceptions=False) as client:
        client.cookies.set("session", WORD["cookie"])
        answer = client.post(
            f"/messages?search={WORD['query']}",
            json={name: WORD[name] for name in ("text", "password", "email")},
            headers={"Authorization": f"Bearer {WORD['token']}", "Sec-WebSocket-Protocol": f"bearer.{WORD['token']}"},
        )
    assert answer.status_code == 500
    sent = captured.everything()
    assert "DataError" in sent
    assert '"transaction"' in sent
    assert [name for name, word in WORD.items() if word in sent] == []


def test_an_error_line_is_an_event_without_what_was_filled_in(captured: Captured) -> None:
    logging.getLogger("app").warning("somebody wrote %s", WORD["text"])
    logging.getLogger("app").error("the login failed for %s", WORD["email"])
    logging.getLogger("app").error({"event": "the sending failed", "text": WORD["text"]})
    sent = captured.everything()
    for kept in ("somebody wrote %s", "the login failed for %s", "the sending failed"):
        assert kept in sent
    assert [name for name, word in WORD.items() if word in sent] == []


def test_a_failed_task_carries_no_arguments(captured: Captured) -> None:
    from celery import Celery

    application = Celery("test", broker="memory://", set_as_current=False)
    application.conf.task_always_eager = True

    @application.task(name="chat.test.fail")  # type: ignore[untyped-decorator]
    def fail(word: str) -> None:
        raise RuntimeError("task")

    fail.apply(args=(WORD["text"],), kwargs={})
    sent = captured.everything()
    assert "RuntimeError" in sent
    assert WORD["text"] not in sent


def test_sockets_are_never_sampled() -> None:
    assert sentry._rate({"asgi_scope": {"type": "websocket"}}) == 0.0
    assert sentry._rate({"asgi_scope": {"type": "http"}}) > 0.0


def test_fields_an_sdk_may_add_stay_at_home() -> None:
    event = {"event_id": "1", "new_field": "canary-text", "extra": {"x": "canary-text"}, "modules": {}}
    assert sentry._event(event, {}) == {"event_id": "1"}
    crumb = {"category": "query", "message": "SELECT 1", "data": {"db.params": "canary-text", "status_code": 200}}
    assert "canary" not in msgspec.json.encode(sentry._breadcrumb(crumb, {})).decode()
