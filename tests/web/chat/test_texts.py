"""Whatever users write is shown as text, in every field that they can fill."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, expect

from tests.support.chat_page import faults, window
from tests.support.client import Node, Person
from tests.support.operators import root
from tests.support.processes import Api
from tests.support.site import Site

pytestmark = pytest.mark.browser

BIDI = "\u202e"
"""Names do not take characters that change the direction of the text around them; messages do."""

PAYLOADS = (
    "<script>window.broken=1</script>",
    "<img src=x onerror=window.broken=1>",
    '"><svg onload=window.broken=1>',
    "javascript:window.broken=1",
    "[click](javascript:window.broken=1)",
    'https://example.org/" onmouseover="window.broken=1',
    "{{constructor.constructor('window.broken=1')()}}",
    "\u202egnp.exe\u202c and \u2066isolated",
    "&lt;b&gt; &amp; <b>bold</b>",
)


async def named(node: Node, first_name: str, payload: str) -> Person:
    person = await node.register(first_name)
    answer = await person.call("PATCH", "/me/", {"first_name": payload[:50], "last_name": payload[:50]})
    assert answer.status == (400 if BIDI in payload else 200)
    return person


@pytest.mark.parametrize("payload", PAYLOADS)
async def test_no_text_of_a_user_runs_or_links(
    browser: Browser, api: Api, node: Node, chat_site: Site, payload: str
) -> None:
    ada = await named(node, "Ada", payload)
    grace = await named(node, "Grace", payload)
    name = "Engines" if BIDI in payload else payload
    created = await ada.post("/conversations/", name=name, is_private=False)
    group = created["id"]
    await ada.post(f"/conversations/{group}/add_member/", user=grace.id)
    await grace.say(group, payload)
    await ada.say(group, payload + "\n" + payload, reply_to=1)
    await grace.call("POST", "/conversations/", {"kind": "direct", "user": ada.id})
    operator = await root(node, chat_site.database_url)
    await operator.post("/ops/broadcasts/", title=name, text=name, to="everybody")
    async with window(browser, api.url, ada) as left:
        page = left.page
        await left.open(group)
        await expect(left.page.locator(".message[data-seq='1'] .words")).to_have_text(payload)
        await expect(page.locator(".quoted-text")).to_have_text(payload)
        await expect(page.locator(".conversation-header h2 bdi")).to_have_text(name)
        await expect(page.locator(".banner strong")).to_have_text(name)
        await expect(left.row(name)).to_be_visible()
        await page.get_by_role("button", name="Details").click()
        await expect(page.get_by_label("Name of the group")).to_have_value(name)
        await expect(page.locator(".details .person")).to_have_count(2)
        await page.get_by_role("button", name="New conversation").click()
        await page.get_by_role("menuitem", name="Discover groups").click()
        await expect(page.get_by_role("dialog")).to_be_visible()
        await page.keyboard.press("Escape")
        await left.send(payload)
        await expect(page.locator(".message[data-seq='3'] .words")).to_have_text(payload)
        hrefs = await page.evaluate("() => [...document.querySelectorAll('.words a')].map(one => one.href)")
        assert [href for href in hrefs if not href.startswith("https://example.org/")] == []
        assert await page.evaluate("() => window.broken") is None
        assert (
            await page.evaluate("() => document.querySelectorAll('.words script, .words img, .words svg').length") == 0
        )
        assert faults(left) == []


async def test_only_https_addresses_without_credentials_are_links(browser: Browser, api: Api, node: Node) -> None:
    ada = await node.register("Ada")
    group = await ada.converse()
    text = (
        "see https://example.org/a_(b)?c=1#d, (https://example.org/e). http://example.org/plain "
        "https://bank.example@evil.example/ https://example.org/\u202egnp javascript:alert(1)"
    )
    await ada.say(group, text)
    async with window(browser, api.url, ada) as left:
        await left.open(group)
        words = left.page.locator(".message .words")
        await expect(words).to_have_text(text)
        links = await words.locator("a").evaluate_all("all => all.map(one => [one.getAttribute('href'), one.rel])")
        rel = "noopener noreferrer nofollow"
        assert links == [["https://example.org/a_(b)?c=1#d", rel], ["https://example.org/e", rel]]
