"""Documents, pages and files travel compressed and are sent once; answers with secrets are never compressed."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from app.api import docs, pages
from app.api.static_files import accepts_gzip, is_current, media_type_of
from tests.support.web import API, Client, join, problem

ASSETS = {
    f"{path}/{file.name}": file
    for path, package in (("/docs/assets", docs), ("/account/assets", pages))
    for file in sorted(Path(package.__file__ or "").with_name("assets").iterdir())
}
COMPRESSED = {"/openapi.json": 40_000, "/asyncapi.json": 10_000, "/docs/socket": 20_000, "/docs": None}
"""Path to the most bytes on the wire; a body of less than 1,000 bytes is sent as it is."""

GZIP = {"accept-encoding": "gzip, deflate, br"}
IDENTITY = {"accept-encoding": "identity"}


@pytest.mark.parametrize(("path", "most"), COMPRESSED.items())
async def test_documents_are_compressed_for_clients_that_accept_it(api: Client, path: str, most: int | None) -> None:
    async with api.stream("GET", path, headers=GZIP) as answered:
        wire = b"".join([chunk async for chunk in answered.aiter_raw()])
    plain = await api.get(path, headers=IDENTITY)
    assert "content-encoding" not in plain.headers
    assert answered.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"
    if most is None:
        assert ("content-encoding" in answered.headers, wire) == (False, plain.content)
        return
    assert answered.headers["content-encoding"] == "gzip"
    assert gzip.decompress(wire) == plain.content
    assert int(answered.headers["content-length"]) == len(wire) < most < len(plain.content)
    assert answered.headers["content-type"] == plain.headers["content-type"]


async def test_the_page_of_swagger_costs_a_quarter_of_its_bytes(api: Client) -> None:
    sizes = []
    for headers in (GZIP, IDENTITY):
        bodies = [await api.get(path, headers=headers) for path in ASSETS if path.startswith("/docs")]
        sizes.append(sum(int(one.headers["content-length"]) for one in bodies))
    assert sizes[0] < 600_000 < 1_900_000 < sizes[1]


@pytest.mark.parametrize("path", [*COMPRESSED, *ASSETS])
@pytest.mark.parametrize("accepted", [GZIP, IDENTITY], ids=["gzip", "identity"])
async def test_a_client_that_has_the_current_body_is_not_sent_it_again(
    api: Client, path: str, accepted: dict[str, str]
) -> None:
    first = await api.get(path, headers=accepted)
    assert first.headers["cache-control"] == "no-cache"
    again = await api.get(path, headers={**accepted, "if-none-match": f'"old", W/{first.headers["etag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    for name in ("etag", "vary", "cache-control"):
        assert again.headers[name] == first.headers[name]
    assert "content-length" not in again.headers or again.headers["content-length"] == "0"
    other = await api.get(path, headers={**accepted, "if-none-match": '"old"'})
    assert (other.status_code, other.content) == (200, first.content)


async def test_both_forms_of_a_body_have_etags_of_their_own(api: Client) -> None:
    tags = {(await api.get("/openapi.json", headers=headers)).headers["etag"] for headers in (GZIP, IDENTITY)}
    assert len(tags) == 2


@pytest.mark.parametrize("path", ASSETS)
async def test_a_file_is_served_unchanged_with_its_type(api: Client, path: str) -> None:
    answered = await api.get(path)
    assert answered.content == ASSETS[path].read_bytes()
    assert answered.headers["content-type"].partition(";")[0] == media_type_of(ASSETS[path])


@pytest.mark.parametrize(
    "path",
    [
        "/docs/assets/",
        "/docs/assets/none.js",
        "/docs/assets/../docs.html",
        "/docs/assets/..%2fdocs.html",
        "/docs/assets//etc/passwd",
        "/account/assets/../account.html",
        "/account/assets/docs.js",
    ],
)
async def test_no_path_leads_to_another_file(api: Client, path: str) -> None:
    problem(await api.get(path), 404, "not_found")


async def test_answers_that_contain_secrets_are_not_compressed(api: Client) -> None:
    """BREACH: the length of a compressed answer reveals a secret beside text that an attacker chose."""
    ada = await join(api)
    room = (await api.post(f"{API}/conversations/", json={"name": "Engine"}, headers=ada.headers)).json()["id"]
    body = {"message_type": "text", "text": "engine " * 1_000}
    await api.post(f"{API}/conversations/{room}/messages/", json=body, headers=ada.headers)
    for path in ("/me/", "/conversations/", f"/conversations/{room}/messages/", "/sessions/"):
        answered = await api.get(API + path, headers={**ada.headers, **GZIP})
        assert answered.status_code == 200
        assert "content-encoding" not in answered.headers
        assert answered.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        ("gzip", True),
        ("br, GZIP;q=0.5", True),
        ("x-gzip", True),
        ("gzip; q=1.000", True),
        ("", False),
        ("identity", False),
        ("br", False),
        ("gzip;q=0", False),
        ("gzip; q=0.000, br", False),
        ("gzipped", False),
    ],
)
def test_gzip_is_sent_only_to_clients_that_accept_it(header: str, accepted: bool) -> None:
    assert accepts_gzip(header) is accepted


@pytest.mark.parametrize(
    ("header", "current"),
    [('"a"', True), ('W/"a"', True), ('"b", "a"', True), ("*", True), ("", False), ('"b"', False), ("a", False)],
)
def test_a_tag_is_compared_weakly(header: str, current: bool) -> None:
    assert is_current('"a"', header) is current
