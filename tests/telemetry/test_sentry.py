"""An event for Sentry names the failure and contains no body, token, password or message text."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import msgspec
import pytest
import sentry_sdk
import structlog
from celery import Celery
from litestar import Litestar, Request, get, post
from litestar.exceptions import WebSocketDisconnect
from litestar.params import JSONBody
from litestar.testing import TestClient
from sentry_sdk import integrations, scope
from sentry_sdk.envelope import Envelope
from sentry_sdk.integrations import litestar as litestar_integration
from sentry_sdk.transport import Transport
from sqlalchemy import create_engine, text

from app.domain.errors import NotFound, Unauthenticated, Unavailable
from app.domain.rates import Rate
from app.server.limits import BODY_BYTES
from app.settings import Settings
from app.telemetry import logging as log_configuration
from app.telemetry import sentry
from tests.support import patches
from tests.support.web import API, running

# Generated in each run: the lines of source that Sentry shows around an error must not contain them.
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

    def events(self) -> list[Any]:
        """What would be shown as errors."""
        sentry_sdk.flush(2)
        items = [item for envelope in self.envelopes for item in envelope.items if item.type == "event"]
        return [item.get_event() for item in items]


@pytest.fixture(scope="module", autouse=True)
def _patches_undone() -> Iterator[None]:
    """The SDK patches Litestar, Celery, httpx, Redis and more for the whole process; other tests run without that.

    A worker that takes tests of this file twice starts the SDK twice. Event processors are undone too: two that drop
    duplicates would drop every event.
    """
    processed, ours = set(integrations._processed_integrations), dict(vars(litestar_integration))
    processors = list(scope.global_event_processors)
    with patches.undone("sentry_sdk"):
        yield
    vars(litestar_integration).update(ours)
    integrations._processed_integrations.intersection_update(processed)
    scope.global_event_processors[:] = processors
    for owner, name in ((Litestar, "__init__"), (httpx.AsyncClient, "send"), (Celery, "send_task")):
        assert (owner, name) not in patches.patched("sentry_sdk")


@pytest.fixture
def captured(monkeypatch: pytest.MonkeyPatch) -> Iterator[Captured]:
    transport = Captured()
    monkeypatch.setattr(sentry, "SAMPLED", 1.0)
    settings = Settings(sentry_dsn="https://public@errors.example.org/1", environment="production")
    sentry.start(settings, process="api", transport=transport)
    yield transport
    sentry_sdk.get_client().close(timeout=1)
    sentry_sdk.get_global_scope().set_client(None)


@pytest.fixture
def own_log() -> Iterator[None]:
    """A log of the test's own, taken back afterwards."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    yield
    root.handlers[:] = before
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def test_without_a_dsn_nothing_is_started() -> None:
    sentry.start(Settings(), process="api")
    assert not sentry_sdk.get_client().is_active()


def test_an_error_in_a_request_reports_none_of_its_data(captured: Captured, database_url: str) -> None:
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
    assert captured.events()[-1]["transaction"].endswith("send")
    assert [name for name, word in WORD.items() if word in sent] == []


def test_the_sdk_does_not_read_bodies(captured: Captured) -> None:
    bodies: list[bytes] = []

    class Counted(Request[Any, Any, Any]):
        async def body(self) -> bytes:
            bodies.append(await super().body())
            return bodies[-1]

    @post("/", sync_to_thread=False)
    def ignore() -> None: ...

    application = Litestar([ignore], logging_config=None, request_class=Counted)
    with TestClient(application, raise_server_exceptions=False) as client:
        assert client.post("/", content=b"{", headers={"Content-Type": "application/json"}).status_code == 201
    assert bodies == []


def test_a_logged_error_is_an_event_without_its_arguments(captured: Captured) -> None:
    logging.getLogger("app").warning("somebody wrote %s", WORD["text"])
    logging.getLogger("app").error("the login failed for %s", WORD["email"])
    logging.getLogger("app").error({"event": "the sending failed", "text": WORD["text"]})
    sent = captured.everything()
    for kept in ("somebody wrote %s", "the login failed for %s", "the sending failed"):
        assert kept in sent
    assert [name for name, word in WORD.items() if word in sent] == []


def test_a_failed_task_reports_no_arguments(captured: Captured) -> None:
    application = Celery("test", broker="memory://", set_as_current=False)
    application.conf.task_always_eager = True

    @application.task(name="chat.test.fail")  # type: ignore[untyped-decorator]
    def fail(word: str) -> None:
        raise RuntimeError("task")

    fail.apply(args=(WORD["text"],), kwargs={})
    sent = captured.everything()
    assert "RuntimeError" in sent
    assert WORD["text"] not in sent


async def test_a_refused_anonymous_request_is_no_event(
    captured: Captured, settings: Settings, empty_redis_url: str
) -> None:
    """Else anyone spends the quota, and hides what is broken."""
    async with running(settings, throttle_address=Rate(8, 60)) as api:
        headers = {"Authorization": "Bearer no.such.token", "Content-Type": "application/json"}
        answers = [
            await api.get(f"{API}/me/", headers=headers),
            await api.get(f"{API}/nowhere/"),
            await api.put("/livez"),
            await api.post(f"{API}/login/", content=b'{"email": "\xff"}', headers=headers),
            await api.post(f"{API}/login/", content=b"{", headers=headers),
            await api.post(f"{API}/login/", content=b"[" + b" " * BODY_BYTES, headers=headers),
            await api.post(f"{API}/login/", content=b"[" * 5_000, headers=headers),
            await api.post(f"{API}/login/", content=b"{}", headers=headers),
            await api.post(f"{API}/login/", json={"email": "no@example.org", "password": "wrong password"}),
            *[await api.post(f"{API}/verify/", json={"token": "x"}) for _ in range(4)],
        ]
    assert [answer.status_code for answer in answers[:9]] == [401, 404, 405, 400, 400, 413, 400, 400, 401]
    assert {answer.status_code for answer in answers[9:]} == {401, 429}
    assert captured.events() == []


def test_a_refused_request_builds_no_event(captured: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[object] = []
    monkeypatch.setattr(litestar_integration, "event_from_exception", lambda *error, **_: built.append(error))

    @get("/", sync_to_thread=False)
    def refuse() -> None:
        raise Unauthenticated

    with TestClient(Litestar([refuse], logging_config=None), raise_server_exceptions=False) as client:
        client.get("/")
    assert built == []


def test_a_logged_refusal_is_no_event(captured: Captured, capsys: pytest.CaptureFixture[str], own_log: None) -> None:
    log_configuration.configure(Settings(environment="production"), process="api")
    for error in (Unavailable(), ExceptionGroup("two", [NotFound(), Unavailable()]), WebSocketDisconnect(detail="")):
        try:
            raise error
        except Exception:
            structlog.get_logger("app.realtime").exception("repair_failed")
            logging.getLogger("library").exception("failed")
    said = capsys.readouterr().out
    assert "Traceback" not in said
    assert said.count('"level":"warning"') == 6
    assert '"error":"unavailable"' in said
    assert '"type":"event"' not in captured.everything()
    try:
        raise KeyError("ours")
    except KeyError:
        structlog.get_logger("app.realtime").exception("repair_failed")
    assert "Traceback" in capsys.readouterr().out
    assert "repair_failed" in captured.everything()


def test_a_task_that_fails_in_an_outage_makes_no_event_and_no_traceback(
    captured: Captured, capsys: pytest.CaptureFixture[str], own_log: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.tasks import failures, task_stats
    from app.tasks.task_classes import PeriodicTask

    noted: list[bool] = []
    monkeypatch.setattr(failures, "_record", lambda _failure, *, expected: noted.append(expected))
    monkeypatch.setattr(task_stats, "alert", lambda *_: None)
    log_configuration.configure(Settings(environment="production"), process="worker")
    application = Celery("test", broker="memory://", set_as_current=False, task_cls=PeriodicTask)
    application.conf.task_always_eager = True

    @application.task(name="chat.test.away")  # type: ignore[untyped-decorator]
    def away() -> None:
        raise Unavailable

    away.apply()
    assert noted == [True]
    # What counts tasks has no Redis here, and says so.
    lines = capsys.readouterr().out.splitlines()
    said = [line for line in lines if "Unavailable" in line and "celery.utils.dispatch" not in line]
    assert [line[:300] for line in said if "Traceback" in line] == []
    raised = [event["exception"]["values"][-1]["type"] for event in captured.events() if "exception" in event]
    assert "Unavailable" not in raised


def test_a_patch_of_a_library_is_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(msgspec.json, "format", original := msgspec.json.format)
    with patches.undone("sentry_sdk"):
        msgspec.json.format = sentry_sdk.capture_message  # type: ignore[assignment]
        assert (msgspec.json, "format") in patches.patched("sentry_sdk")
    assert msgspec.json.format is original


def test_sockets_are_never_sampled() -> None:
    assert sentry._rate({"asgi_scope": {"type": "websocket"}}) == 0.0
    assert sentry._rate({"asgi_scope": {"type": "http"}}) > 0.0


def test_unknown_fields_of_the_sdk_are_not_sent() -> None:
    event = {"event_id": "1", "new_field": "canary-text", "extra": {"x": "canary-text"}, "modules": {}}
    assert sentry._event(event, {}) == {"event_id": "1"}
    crumb = {"category": "query", "message": "SELECT 1", "data": {"db.params": "canary-text", "status_code": 200}}
    assert "canary" not in msgspec.json.encode(sentry._breadcrumb(crumb, {})).decode()
