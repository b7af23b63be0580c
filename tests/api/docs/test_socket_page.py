"""/docs/socket: markdown is rendered, every type leads to its schema, and the page needs neither scripts nor width."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser

import httpx
import msgspec
import pytest
from playwright.async_api import Browser, Page

from app.api.docs.asyncapi import socket_document
from app.api.docs.socket_page import page_of
from app.main import SOCKET
from app.realtime.connection.close_codes import REASONS
from tests.support.browser import chromium, watched_page
from tests.support.processes import Api
from tests.support.published import Json

PHONE = {"width": 360, "height": 740}


class Anchors(HTMLParser):
    """The ids of a page, the targets of its links, and its text outside examples."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: set[str] = set()
        self.prose: list[str] = []
        self.inside: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.inside.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(str(value))
            elif name == "href":
                self.links.add(str(value))

    def handle_endtag(self, tag: str) -> None:
        self.inside.remove(tag)

    def handle_data(self, data: str) -> None:
        if "pre" not in self.inside:
            self.prose.append(data)


@pytest.fixture(scope="module")
def asyncapi() -> Json:
    document: Json = msgspec.json.decode(msgspec.json.encode(socket_document(SOCKET, "https://chat.example.org")))
    return document


@pytest.fixture(scope="module")
def page(asyncapi: Json) -> str:
    return page_of(asyncapi, REASONS)


def test_every_frame_and_every_schema_has_its_place_once(page: str, asyncapi: Json) -> None:
    frames = {kind["payload"]["$ref"].rpartition("/")[2] for kind in asyncapi["components"]["messages"].values()}
    schemas = set(asyncapi["components"]["schemas"]) - frames
    ids = Anchors(page).ids
    assert len(ids) == len(set(ids))
    assert set(ids) == set(asyncapi["components"]["messages"]) | schemas | {"client", "server", "closing", "schemas"}


def test_every_type_is_a_link_to_its_schema(page: str, asyncapi: Json) -> None:
    found = Anchors(page)
    targets = {link[1:] for link in found.links if link.startswith("#")}
    assert {"SocketLimits", "ConversationSummary", "Person", "Message"} < targets <= set(found.ids)
    for name in set(asyncapi["components"]["schemas"]) & set(found.ids):
        assert f'<a href="#{name}"><code>{name}</code></a>' in page, name


def test_markdown_is_rendered(page: str) -> None:
    prose = "".join(Anchors(page).prose)
    assert "`" not in prose
    assert "](" not in prose
    assert "The answer to <code>ping</code>." in page


def test_text_is_never_markup(asyncapi: Json) -> None:
    document = msgspec.json.decode(msgspec.json.encode(asyncapi))
    for schema in document["components"]["schemas"].values():
        schema["description"] = "<script>alert(1)</script>"
    document["components"]["schemas"]["Person"]["properties"]["id"]["description"] = "<img src=x>"
    page = page_of(document, {})
    assert "<script" not in page
    assert "<img" not in page
    assert "&lt;script&gt;" in page


def test_nested_types_are_shown_inside_a_frame(page: str) -> None:
    (created,) = re.findall(r'<div id="message.created">(.*?)<pre', page, re.DOTALL)
    assert re.findall(r'<details class="nested">\n<summary><code>(\w+)', created) == ["Message", "Person"]


def test_close_codes_are_listed_with_their_reasons(page: str) -> None:
    assert (
        "<td>4403</td><td><code>suspended</code>, <code>foreign_origin</code>, <code>unknown_host</code></td>" in page
    )
    for code in REASONS:
        assert f"<td>{code}</td>" in page


def test_the_page_has_no_script_and_links_only_to_this_server(api: Api) -> None:
    answered = httpx.get(f"{api.url}/docs/socket", timeout=10, trust_env=False)
    assert "script" not in answered.text
    assert "unsafe" not in answered.headers["content-security-policy"]
    links = {link.partition("#")[0] for link in Anchors(answered.text).links}
    for link in links - {""}:
        assert httpx.get(f"{api.url}{link}", timeout=10, trust_env=False).status_code == 200, link


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as started:
        yield started


async def follow(page: Page, link: str) -> None:
    await page.get_by_role("link", name=link, exact=True).first.click()


@pytest.mark.browser
async def test_a_link_opens_the_frame_that_it_leads_to(browser: Browser, api: Api) -> None:
    async with watched_page(browser) as watched:
        await watched.page.goto(f"{api.url}/docs/socket")
        await watched.page.get_by_text("Send a message.").click()
        assert not await watched.page.locator("[id='ack.send']").is_visible()
        await follow(watched.page, "ack.send")
        await watched.page.locator("[id='ack.send']").wait_for()
        assert watched.page.url.endswith("#ack.send")
        await watched.page.goto(f"{api.url}/docs/socket#ConversationSummary")
        assert await watched.page.locator("#ConversationSummary").is_visible()
    assert watched.complaints == []


@pytest.mark.browser
async def test_nothing_is_wider_than_a_phone(browser: Browser, api: Api) -> None:
    async with watched_page(browser) as watched:
        await watched.page.set_viewport_size(PHONE)  # type: ignore[arg-type]
        await watched.page.goto(f"{api.url}/docs/socket")
        await watched.page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
        width = await watched.page.evaluate("document.documentElement.scrollWidth")
    assert width <= PHONE["width"]
