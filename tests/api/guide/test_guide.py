"""/guide/ on a running chat: types, ETags, compression, its policy, and its search in a browser."""

from __future__ import annotations

import gzip
import re
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.async_api import Browser, expect

from app.api.guide import FILES, SITE, policy
from tests.support.browser import chromium, watched_page
from tests.support.processes import Api
from tests.support.web import problem

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}


def get(api: Api, path: str, **headers: str) -> httpx.Response:
    return httpx.get(f"{api.url}{path}", headers=headers, timeout=10, trust_env=False)


def test_every_file_is_served_with_its_type_policy_and_etag(api: Api) -> None:
    assert len(FILES) > 30
    for name in FILES:
        answer = get(api, f"/guide/{name}")
        assert (answer.status_code, answer.content) == (200, (SITE / name).read_bytes()), name
        suffix = f".{name.rpartition('.')[2]}"
        assert answer.headers["content-type"] == TYPES.get(suffix, "text/plain; charset=utf-8"), name
        assert "default-src 'none'" in answer.headers["content-security-policy"], name
        assert get(api, f"/guide/{name}", **{"If-None-Match": answer.headers["etag"]}).status_code == 304, name


def test_a_page_is_compressed_for_clients_that_accept_it(api: Api) -> None:
    with httpx.stream("GET", f"{api.url}/guide/operations.html", headers={"Accept-Encoding": "gzip"}) as answer:
        raw = b"".join(answer.iter_raw())
    page = (SITE / "operations.html").read_bytes()
    assert answer.headers["content-encoding"] == "gzip"
    assert gzip.decompress(raw) == page
    assert len(raw) < len(page) / 3


def test_the_index_has_an_address_from_which_its_links_resolve(api: Api) -> None:
    bare = get(api, "/guide")
    assert (bare.status_code, bare.headers["location"]) == (302, "/guide/")
    assert get(api, "/guide/").content == (SITE / "index.html").read_bytes()


@pytest.mark.parametrize(
    "path", ["/guide/nothing.html", "/guide/../main.py", "/guide/%2e%2e/__init__.py", "/guide/assets"]
)
def test_only_files_of_the_guide_are_served(api: Api, path: str) -> None:
    problem(get(api, path), 404, "not_found")


def test_the_policy_allows_the_inline_scripts_of_the_pages_and_no_other() -> None:
    allowed = policy([b"<script>one</script><script src=x></script>", b"<script>one</script>"])
    assert allowed.count("'sha256-") == 1
    assert "'sha256-dpLDrTVAu4A8Ags67mbNiIcSMjTqDG5xQ8Ct1z/0Me0='" in allowed
    assert "unsafe" not in allowed
    everything = policy(path.read_bytes() for path in SITE.rglob("*.html"))
    assert 1 <= everything.count("'sha256-") <= 6


def test_the_documents_lead_to_the_guide_and_back(api: Api) -> None:
    assert "/guide/" in get(api, "/openapi.json").json()["info"]["description"]
    assert 'href="/guide/realtime.html"' in get(api, "/docs/socket").text
    index = get(api, "/guide/").text
    assert 'href="/docs"' in index
    assert 'href="/docs/socket"' in index
    assert get(api, "/api/v1/").json()["links"]["guide"] == "/guide/"


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as started:
        yield started


@pytest.mark.browser
async def test_a_reader_searches_and_follows_a_result(browser: Browser, api: Api) -> None:
    async with watched_page(browser) as watched:
        page = watched.page
        async with page.expect_response("**/search_index.json"):  # from then on the page listens to its search field
            await page.goto(f"{api.url}/guide/")
        await expect(page.get_by_role("heading", name="Chat", exact=False).first).to_be_visible()
        await page.get_by_placeholder("Search").first.click()
        await page.get_by_placeholder("Search").first.press_sequentially("idempotency_mismatch")
        result = page.locator(".md-search-result__link", has_text="Status 422").first
        await result.click()
        await page.wait_for_url(re.compile(r"/guide/errors\.html"))
        await page.goto(f"{api.url}/guide/decisions/names-of-the-field.html")
        await page.goto(f"{api.url}/guide/reliability.html")
        await page.locator("img").first.wait_for()
    foreign = [url for url in watched.requests if urlsplit(url).scheme != "data" and not url.startswith(api.url)]
    assert foreign == []
    assert watched.complaints == []


@pytest.mark.browser
@pytest.mark.parametrize("page_name", ["index", "api-guide", "errors", "settings"])
async def test_a_page_fits_a_phone(browser: Browser, api: Api, page_name: str) -> None:
    async with watched_page(browser) as watched:
        await watched.page.set_viewport_size({"width": 360, "height": 780})
        await watched.page.goto(f"{api.url}/guide/{page_name}.html")
        assert await watched.page.evaluate("document.documentElement.scrollWidth") <= 360
