"""Requests at the edge of HTTP: other names of this server, methods, codings and paths that lead nowhere."""

from __future__ import annotations

import asyncio
import gzip
import json

import pytest

from app.api.middleware.allowed_hosts import AllowedHosts
from app.settings import Settings
from tests.support.operators import promote
from tests.support.web import API, Client, join, problem

SOMEWHERE = "0199f2a0-7b6e-7000-8000-000000000000"


@pytest.mark.parametrize("host", ["[::1]:8000", "[::1]", "localhost:", "localhost.", "LOCALHOST.:8000"])
def test_a_known_host_is_accepted_in_any_form(host: str) -> None:
    assert AllowedHosts(None, ["localhost", "::1"])._known([(b"host", host.encode())])  # type: ignore[arg-type]


@pytest.mark.parametrize("host", ["", ".", "localhost.evil.example", "[::2]", "localhost:x"])
def test_an_unknown_host_is_refused(host: str) -> None:
    assert not AllowedHosts(None, ["localhost", "::1"])._known([(b"host", host.encode())])  # type: ignore[arg-type]


async def test_a_socket_on_a_foreign_host_is_accepted_and_closed_with_4403() -> None:
    said: list[object] = []

    async def receive() -> dict[str, object]:
        return {"type": "websocket.connect"}

    async def send(message: object) -> None:
        said.append(message)

    hosts = AllowedHosts(None, ["localhost"])  # type: ignore[arg-type]
    scope = {"type": "websocket", "path": "/ws/conversations", "headers": [(b"host", b"evil.example")]}
    await hosts(scope, receive, send)
    assert said == [{"type": "websocket.accept"}, {"type": "websocket.close", "code": 4403, "reason": "unknown_host"}]


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        (f"conversations/{SOMEWHERE}/messages/", "GET, HEAD, OPTIONS, POST"),
        (f"conversations/{SOMEWHERE}/messages/{SOMEWHERE}/", "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"),
        ("conversations/", "GET, HEAD, OPTIONS, POST"),
    ],
)
async def test_options_lists_the_methods_of_any_path(api: Client, path: str, methods: str) -> None:
    answer = await api.options(f"{API}/{path}")
    assert answer.status_code == 204
    assert answer.headers["allow"] == methods


@pytest.mark.parametrize("path", ["ops/users/", f"ops/users/{SOMEWHERE}/suspend/", "ops/audit/"])
async def test_options_on_paths_of_operators_is_404_for_others(api: Client, path: str) -> None:
    ada = await join(api)
    unknown = await api.options(f"{API}/ops/nothing-here/")
    for headers in ({}, ada.headers, {"Authorization": "Bearer nonsense"}):
        answer = await api.options(f"{API}/{path}", headers=headers)
        problem(answer, 404, "not_found")
        assert answer.json() == unknown.json()


@pytest.mark.parametrize("path", ["ops/users/", f"ops/users/{SOMEWHERE}/suspend/", "ops/audit/"])
async def test_a_method_that_operators_paths_lack_is_404_to_others(api: Client, settings: Settings, path: str) -> None:
    ada = await join(api)
    unknown = await api.delete(f"{API}/ops/nothing-here/")
    for headers in ({}, ada.headers, {"Authorization": "Bearer nonsense"}):
        answer = await api.delete(f"{API}/{path}", headers=headers)
        problem(answer, 404, "not_found")
        assert answer.content == unknown.content
    await asyncio.to_thread(promote, settings.database_url, ada.email)
    problem(await api.delete(f"{API}/{path}", headers=ada.headers), 405, "method_not_allowed")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_plain_request_to_the_socket_is_426(api: Client, method: str) -> None:
    answer = await api.request(method, "/ws/conversations")
    assert answer.status_code == 426
    assert answer.headers["upgrade"] == "websocket"
    if method == "GET":
        problem(answer, 426, "upgrade_required")
    problem(await api.post("/ws/conversations", json={}), 405, "method_not_allowed")


@pytest.mark.parametrize("coding", ["gzip", "br", "identity, gzip"])
async def test_a_compressed_body_is_415_with_accept_encoding(api: Client, coding: str) -> None:
    body = gzip.compress(json.dumps({"email": "a@example.org", "password": "x"}).encode())
    headers = {"Content-Encoding": coding, "Content-Type": "application/json"}
    answer = await api.post(f"{API}/login/", content=body, headers=headers)
    problem(answer, 415, "unsupported_media_type")
    assert answer.headers["accept-encoding"] == "identity"


async def test_a_body_with_identity_encoding_is_accepted(api: Client) -> None:
    answer = await api.post(f"{API}/verify/", json={"token": "x"}, headers={"Content-Encoding": "identity"})
    assert answer.status_code == 401


@pytest.mark.parametrize("path", ["/docs/assets/docs.js%00.css", "/%00", f"{API}/conversations/%00/"])
async def test_a_nul_in_a_path_is_404(api: Client, path: str) -> None:
    problem(await api.get(path), 404, "not_found")


async def test_the_preflight_of_a_foreign_origin_is_a_problem(api: Client) -> None:
    headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    answer = await api.options(f"{API}/login/", headers=headers)
    problem(answer, 400, "foreign_origin")
    assert "access-control-allow-origin" not in answer.headers


async def test_the_preflight_of_our_own_origin_is_answered(api: Client, settings: Settings) -> None:
    headers = {"Origin": settings.allowed_origins[0], "Access-Control-Request-Method": "POST"}
    answer = await api.options(f"{API}/login/", headers=headers)
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == settings.allowed_origins[0]


async def test_errors_below_docs_raw_are_problems(api: Client) -> None:
    for path in ("/docs/raw/x", "/docs/raw/", "/docs/raw/openapi.yaml"):
        problem(await api.get(path), 404, "not_found")
