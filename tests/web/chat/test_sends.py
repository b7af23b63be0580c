"""Sends that the server puts off or refuses: the page says so, and what may be done."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Browser, expect

from tests.support.chat_page import SECONDS, window
from tests.support.client import Node
from tests.support.site import Site

pytestmark = pytest.mark.browser


async def test_a_throttled_message_says_when_it_goes_and_goes_then(browser: Browser, chat_site: Site) -> None:
    [slow] = chat_site.processes.apis({"THROTTLE_MESSAGES": "2/minute"})
    node = Node(slow.url)
    ada = await node.register("Ada")
    group = await ada.converse()
    async with window(browser, slow.url, ada) as left:
        await left.open(group)
        for text in ("one", "two", "three"):
            await left.send(text)
        await left.sees("one", "two")
        waiting = left.page.locator(".message.pending")
        await expect(waiting.get_by_text(re.compile(r"Too many messages\. It is sent at \d+:\d+:\d+"))).to_be_visible()
        assert [one["text"] for one in chat_site.stored(group)] == ["one", "two"]
        await expect(left.message("three")).to_have_count(1, timeout=75_000)
        await expect(waiting).to_have_count(0)
        assert [one["text"] for one in chat_site.stored(group)] == ["one", "two", "three"]
    await node.close()


async def test_a_refused_message_gives_the_reason_and_can_be_tried_again_or_discarded(
    browser: Browser, chat_site: Site, node: Node
) -> None:
    ada = await node.register("Ada")
    group = await ada.converse()
    async with window(browser, node.url, ada) as left:
        await left.open(group)
        # The page counts characters, and the server refuses this one: Postgres cannot store it.
        await left.send("a text with a NUL: \0")
        refused = left.page.locator(".message.refused")
        await expect(refused.get_by_role("alert")).to_contain_text("Not sent.")
        await left.send("and one without")
        await left.sees("and one without")
        await left.page.reload()
        await expect(refused).to_have_count(1)
        await refused.get_by_role("button", name="Try again").click()
        await expect(refused.get_by_role("alert")).to_contain_text("Not sent.")
        await refused.get_by_role("button", name="Discard").click()
        await expect(refused).to_have_count(0)
        await left.page.reload()
        await left.sees("and one without")
        await expect(left.page.locator(".message")).to_have_count(1)
        assert [one["text"] for one in chat_site.stored(group)] == ["and one without"]


async def test_a_conversation_that_was_lost_meanwhile_keeps_nothing_behind(
    browser: Browser, chat_site: Site, node: Node
) -> None:
    ada, grace = await node.register("Ada"), await node.register("Grace")
    group = await grace.converse(ada)
    async with window(browser, node.url, ada) as left:
        await left.open(group)
        await left.page.context.set_offline(True)
        await expect(left.page.get_by_text("No connection.")).to_be_visible(timeout=SECONDS)
        await left.send("too late")
        await grace.post(f"/conversations/{group}/remove_member/", user=ada.id)
        await left.page.context.set_offline(False)
        await expect(left.page.get_by_text("You were removed from this conversation.")).to_be_visible(timeout=SECONDS)
        await expect(left.row("Engines")).to_have_count(0)
        assert chat_site.stored(group) == []


async def test_an_image_needs_an_https_address(browser: Browser, chat_site: Site, node: Node) -> None:
    ada = await node.register("Ada")
    group = await ada.converse()
    async with window(browser, node.url, ada) as left:
        await left.open(group)
        await left.page.get_by_role("button", name="Send an image, audio or video").click()
        dialog = left.page.get_by_role("dialog")
        address = dialog.get_by_label("Address")
        await address.fill("http://example.org/picture.png")
        await dialog.get_by_role("button", name="Send", exact=True).click()
        await expect(dialog.get_by_text("Give an address that begins with https://")).to_be_visible()
        await address.fill("https://127.0.0.1:9/film.mp4")
        await expect(dialog.get_by_role("radio", name="Video")).to_be_checked()
        await dialog.get_by_role("button", name="Send", exact=True).click()
        await expect(left.page.locator(".message[data-seq='1']")).to_be_visible()
        sent = (await ada.page(group))[0]
        assert (sent["message_type"], sent["media_url"]) == ("video", "https://127.0.0.1:9/film.mp4")
