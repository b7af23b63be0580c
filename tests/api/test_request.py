"""Request bodies are strictly typed, bounded JSON; a fault names its field at any depth."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from litestar import Litestar, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import JSONBody
from structlog.testing import capture_logs

from app.api.errors.problems import answer
from app.api.request import ChatRequest
from tests.support.web import API, Client, join, problem, serving


def strict(route: HTTPRouteHandler) -> Litestar:
    """An application of this route alone, which reads bodies as ours does."""
    return Litestar(
        [route],
        request_class=ChatRequest,
        exception_handlers={Exception: answer},
        openapi_config=None,
        logging_config=None,
    )


class Item(msgspec.Struct, forbid_unknown_fields=True):
    message: int


class Marks(msgspec.Struct, forbid_unknown_fields=True):
    data: list[Item]


@post("/marks", status_code=204)
async def marks(data: JSONBody[Marks]) -> None:
    del data


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ('{"data": [{"message": "x"}]}', "data.0.message"),
        ('{"data": [{"message": 1}, {"message": 1, "seq": 2}]}', "data.1.seq"),
        ('{"data": [{}]}', "data.0.message"),
        ('{"data": 7}', "data"),
        ('{"dat": []}', "dat"),
        ("{}", "data"),
        ("[]", ""),
    ],
)
async def test_a_fault_names_its_field_at_any_depth(body: str, field: str) -> None:
    app = strict(marks)
    async with serving(app) as client:
        answered = await client.post("/marks", content=body)
    fault = problem(answered, 400, "invalid")["errors"][0]
    assert fault["field"] == field
    assert fault["message"]


@pytest.mark.parametrize(
    "body",
    [
        b'{"email":',
        b"{'email': 1}",
        b'{"email": "\xff\xfe"}',
        b'{"email": "\\ud800"}',
        b"\x00",
        json.dumps({"email": "ada@example.org", "password": "x"}).encode() + b"}",
    ],
)
async def test_invalid_json_is_malformed(api: Client, body: bytes) -> None:
    problem(await api.post(f"{API}/login/", content=body), 400, "malformed")


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"email":' * 10_000, b'{"email": null}}'])
async def test_a_body_of_another_json_type_is_invalid(api: Client, body: bytes) -> None:
    problem(await api.post(f"{API}/login/", content=body), 400, "invalid")


async def test_a_missing_body_is_named(api: Client) -> None:
    body = problem(await api.post(f"{API}/login/"), 400, "invalid")
    assert body["errors"] == [{"field": "", "message": "Must be a JSON object."}]


async def test_a_body_that_is_too_large_is_413(api: Client) -> None:
    answered = await api.post(f"{API}/login/", content=b'{"email": "' + b"x" * 300_000 + b'"}')
    problem(answered, 413, "too_large")


@pytest.mark.parametrize(
    "kind", ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x", "x"]
)
async def test_a_body_with_another_content_type_is_415(api: Client, kind: str) -> None:
    answered = await api.post(f"{API}/login/", content=b'{"email": "x"}', headers={"Content-Type": kind})
    problem(answered, 415, "unsupported_media_type")


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", "Application/JSON", None])
async def test_json_is_accepted_with_every_json_content_type(api: Client, kind: str | None) -> None:
    headers = {"Content-Type": kind} if kind else {}
    answered = await api.post(f"{API}/login/", content=b'{"email": "x", "password": "y"}', headers=headers)
    problem(answered, 401, "invalid_credentials")


async def test_the_content_type_is_ignored_without_a_body(api: Client) -> None:
    ada = await join(api)
    answered = await api.get(f"{API}/me/", headers={**ada.headers, "Content-Type": "text/plain"})
    assert answered.status_code == 200


async def test_a_disconnect_within_a_body_is_no_server_error() -> None:
    @post("/")
    async def route(data: JSONBody[dict[str, int]]) -> None: ...

    app = strict(route)
    said = iter([{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}])
    sent: list[Any] = []

    async def receive() -> Any:
        return next(said)

    async def send(message: Any) -> None:
        sent.append(message)

    scope: Any = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json"), (b"content-length", b"9")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
        "app": app,
    }
    with capture_logs() as logs:
        await app(scope, receive, send)
    assert sent[0]["status"] == 400
    assert logs == []


@pytest.mark.parametrize("name", ["<" + " - at `$." * 20_000 + ">\n", " - at `$.data`", "`", " - at `$"])
async def test_a_field_named_like_a_path_is_quoted(name: str) -> None:
    async with serving(strict(marks)) as client:
        answered = await client.post("/marks", content=json.dumps({name: 1}))
    unknown, missing = problem(answered, 400, "invalid")["errors"]
    assert unknown["field"] == name[:200]
    assert missing["field"] == "data"
