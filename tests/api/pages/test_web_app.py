"""The web app's pages and files as the API serves them: types, policy, caching, and what WEB_UI=false leaves."""

from __future__ import annotations

import gzip
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from litestar import Litestar

from app.api.pages.web_app import PAGES, POLICY, SITE, web_app_pages
from app.settings import Settings
from tests.support.web import Client, problem, running, serving

GZIP = {"accept-encoding": "gzip"}
IDENTITY = {"accept-encoding": "identity"}
SERVED = {path: file for path, file in PAGES.items() if (SITE / file).is_file()}
ASSETS = sorted(file.relative_to(SITE).as_posix() for file in (SITE / "web-assets").rglob("*") if file.is_file())
TYPES = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".txt": "text/plain",
}


@pytest.fixture(scope="module")
async def named(settings: Settings) -> AsyncIterator[Client]:
    async with running(settings, app_name='R&D "Talk"') as client:
        yield client


@pytest.fixture(scope="module")
async def without(settings: Settings) -> AsyncIterator[Client]:
    async with running(settings, web_ui=False) as client:
        yield client


def test_the_chat_has_a_page_and_files() -> None:
    assert SERVED["/"] == "index.html"
    assert {name.rpartition(".")[2] for name in ASSETS} >= {"js", "css", "svg", "png", "txt"}


@pytest.mark.parametrize("path", SERVED)
async def test_a_page_is_html_with_a_strict_policy(api: Client, path: str) -> None:
    answered = await api.get(path)
    assert answered.status_code == 200
    assert answered.headers["content-type"] == "text/html; charset=utf-8"
    assert answered.content == (SITE / SERVED[path]).read_bytes()
    assert answered.headers["content-security-policy"] == POLICY
    assert answered.headers["cache-control"] == "no-cache"
    assert answered.headers["x-content-type-options"] == "nosniff"
    again = await api.get(path, headers={"if-none-match": answered.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    head = await api.head(path)
    assert (head.status_code, head.headers["content-type"]) == (200, answered.headers["content-type"])


def test_the_policy_allows_no_inline_code_and_no_other_origin_but_for_media() -> None:
    rules = dict(rule.split(maxsplit=1) for rule in POLICY.split("; "))
    assert rules.pop("img-src") == rules.pop("media-src") == "'self' https:"
    assert rules.pop("require-trusted-types-for") == "'script'"
    assert set(rules.values()) == {"'none'", "'self'"}
    for name in ("default-src", "frame-ancestors", "base-uri", "form-action", "trusted-types"):
        assert rules[name] == "'none'"
    assert "unsafe" not in POLICY


@pytest.mark.parametrize("path", ASSETS)
async def test_a_file_is_served_unchanged_with_its_type(api: Client, path: str) -> None:
    answered = await api.get(f"/{path}", headers=IDENTITY)
    assert answered.content == (SITE / path).read_bytes()
    suffix = f".{path.rpartition('.')[2]}"
    assert answered.headers["content-type"].partition(";")[0] == TYPES[suffix]
    forever = re.search(r"-[0-9a-f]{10}\.(?:js|css|svg)$", path) is not None
    assert answered.headers["cache-control"] == ("public, max-age=31536000, immutable" if forever else "no-cache")
    assert answered.headers["etag"]


async def test_scripts_and_styles_are_compressed_and_kept_forever(api: Client) -> None:
    hashed = [path for path in ASSETS if path.endswith((".js", ".css")) and (SITE / path).stat().st_size > 1_000]
    assert len(hashed) >= 2
    for path in hashed:
        async with api.stream("GET", f"/{path}", headers=GZIP) as answered:
            wire = b"".join([chunk async for chunk in answered.aiter_raw()])
        assert answered.headers["content-encoding"] == "gzip"
        assert gzip.decompress(wire) == (SITE / path).read_bytes()
        assert answered.headers["cache-control"].endswith("immutable")


async def test_every_address_in_a_page_exists(api: Client) -> None:
    html = (await api.get("/")).text
    addresses = re.findall(r'\b(?:src|href)="\./([^"]*)"', html)
    assert len(addresses) >= 5
    for address in addresses:
        assert (await api.get(f"/{address}")).status_code == 200, address


async def test_the_app_is_installable_under_its_name(named: Client) -> None:
    answered = await named.get("/manifest.webmanifest")
    assert answered.headers["content-type"] == "application/manifest+json"
    manifest = answered.json()
    assert (manifest["name"], manifest["short_name"]) == ('R&D "Talk"', 'R&D "Talk"')
    assert (manifest["start_url"], manifest["display"]) == ("./", "standalone")
    assert {icon["sizes"] for icon in manifest["icons"]} >= {"192x192", "512x512"}
    for icon in manifest["icons"]:
        served = await named.get(icon["src"].removeprefix("."))
        assert served.headers["content-type"].partition(";")[0] == icon["type"]
        if icon["type"] == "image/png":
            width, height = (int.from_bytes(served.content[at : at + 4]) for at in (16, 20))
            assert f"{width}x{height}" == icon["sizes"]


async def test_the_page_has_the_name_of_the_chat(named: Client) -> None:
    html = (await named.get("/")).text
    assert "<title>R&amp;D &quot;Talk&quot;</title>" in html
    assert '<meta name="application-name" content="R&amp;D &quot;Talk&quot;">' in html


async def test_a_page_in_a_folder_has_one_address_from_which_its_links_resolve(tmp_path: Path) -> None:
    for file in ("index.html", "ops.html", "docs/try.html", "manifest.webmanifest"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_bytes((SITE / "manifest.webmanifest").read_bytes())
    async with serving(Litestar(web_app_pages("Chat", tmp_path), openapi_config=None)) as client:
        for path, location in (("/ops/", "../ops"), ("/docs/try/", "../try")):
            assert (await client.get(path.rstrip("/"))).status_code == 200
            answered = await client.get(path)
            assert (answered.status_code, answered.headers["location"]) == (302, location)


@pytest.mark.parametrize(
    "path",
    [
        "/web-assets/",
        "/web-assets/none.js",
        "/web-assets/../index.html",
        "/web-assets/..%2findex.html",
        "/web-assets/%2e%2e/%2e%2e/main.py",
        "/web-assets//etc/passwd",
        "/index.html",
        "/site/index.html",
    ],
)
async def test_no_path_leads_to_another_file(api: Client, path: str) -> None:
    problem(await api.get(path), 404, "not_found")


@pytest.mark.parametrize("path", ["/ops", "/docs/try", "/manifest.webmanifest", *(f"/{path}" for path in ASSETS[:3])])
async def test_without_the_web_app_none_of_it_is_served(without: Client, path: str) -> None:
    problem(await without.get(path), 404, "not_found")


async def test_without_the_web_app_the_bare_address_leads_to_the_guide(without: Client) -> None:
    answered = await without.get("/")
    assert (answered.status_code, answered.headers["location"]) == (302, "/guide/")
    assert 'href="./' not in (await without.get("/account")).text


async def test_the_account_page_leads_back_to_the_web_app(api: Client) -> None:
    html = (await api.get("/account")).text
    assert '<a href="./#/login">Log in to Chat</a>' in html
    assert '<a href="./">Back to Chat</a>' in html
