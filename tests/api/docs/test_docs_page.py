"""/docs in a real browser: it shows the operations, loads nothing from elsewhere, and breaks none of its own rules."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.async_api import Browser

from tests.support.browser import chromium, watched_page
from tests.support.processes import Api
from tests.support.published import Json

pytestmark = pytest.mark.browser

LOCAL = ("data", "blob", "about")
SOCKET = ("/docs/socket", "/docs/assets/socket.css", "/asyncapi.json")


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as started:
        yield started


async def test_the_page_shows_every_operation_and_contacts_no_other_host(
    browser: Browser, api: Api, document: Json
) -> None:
    operations = sum(len(methods) for methods in document["paths"].values())
    async with watched_page(browser) as watched:
        await watched.page.goto(f"{api.url}/docs")
        await watched.page.wait_for_selector(".opblock-summary")
        assert await watched.page.locator(".opblock-summary").count() == operations
        for tag in document["tags"]:
            assert await watched.page.locator(f'[data-tag="{tag["name"]}"]').count() == 1
        # Opened, an operation shows its examples, which is where most of the page's program runs.
        send = watched.page.locator("#operations-Messages-sendMessage")
        await send.locator(".opblock-summary-control").click()
        await send.get_by_text("The engine is on the bench.").first.wait_for()
        assert await send.get_by_text("idempotency_mismatch").count() > 0
    foreign = [url for url in watched.requests if urlsplit(url).scheme not in LOCAL and not url.startswith(api.url)]
    assert foreign == []
    assert [url for url in watched.requests if url.endswith("/openapi.json")] == [f"{api.url}/openapi.json"]
    assert watched.complaints == []


async def test_an_inline_script_would_not_run(browser: Browser, api: Api) -> None:
    async with watched_page(browser) as watched:
        await watched.page.goto(f"{api.url}/docs")
        await watched.page.evaluate(
            "document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.ran = 1'}))"
        )
        assert await watched.page.evaluate("window.ran") is None
    assert any("Content Security Policy" in complaint for complaint in watched.complaints)


def test_the_openapi_document_is_served_unchanged(api: Api, document: Json) -> None:
    served = httpx.get(f"{api.url}/openapi.json", timeout=10, trust_env=False)
    assert served.headers["content-type"] == "application/vnd.oai.openapi+json"
    assert served.json() == document


def test_the_page_and_what_it_loads_come_with_strict_headers(api: Api) -> None:
    for path in ("/docs", "/docs/assets/docs.js", "/docs/assets/swagger-ui.css", "/openapi.json", *SOCKET):
        answer = httpx.get(f"{api.url}{path}", timeout=10, trust_env=False)
        assert answer.status_code == 200, path
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
    page = httpx.get(f"{api.url}/docs", timeout=10, trust_env=False)
    assert "unsafe" not in page.headers["content-security-policy"].replace("style-src 'self' 'unsafe-inline'", "")


async def test_the_socket_page_opens_its_frames_and_contacts_no_other_host(browser: Browser, api: Api) -> None:
    async with watched_page(browser) as watched:
        await watched.page.goto(f"{api.url}/docs/socket")
        send = watched.page.locator("[id='client.send']")
        await watched.page.get_by_text("Send a message.").click()
        await send.get_by_text("The engine is on the bench.").wait_for()
        assert await send.get_by_role("link", name="throttled").count() == 1
        for link in await watched.page.locator("main a").evaluate_all("links => links.map(one => one.hash.slice(1))"):
            assert await watched.page.locator(f"[id='{link}']").count() == 1, link
    assert [url for url in watched.requests if not url.startswith(api.url)] == []
    assert watched.complaints == []
