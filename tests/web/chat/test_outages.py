"""The network, the API and Redis go away under two open pages, which go on by themselves."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Browser, expect

from tests.support.chat_page import SECONDS, Window, window
from tests.support.client import Node
from tests.support.processes import Api
from tests.support.site import Site

pytestmark = [pytest.mark.browser, pytest.mark.fault]

OFFLINE = "No connection. What you write is kept"


async def marked(opened: Window) -> None:
    """Leaves a mark in the page that no reload survives."""
    await opened.page.evaluate("() => { window.unreloaded = true }")


async def is_marked(opened: Window) -> bool:
    return bool(await opened.page.evaluate("() => window.unreloaded === true"))


async def test_what_is_written_offline_is_kept_over_a_reload_and_sent_once(
    browser: Browser, api: Api, node: Node, chat_site: Site
) -> None:
    ada, grace = await node.register("Ada"), await node.register("Grace")
    group = await ada.converse(grace)
    async with window(browser, api.url, ada) as left, window(browser, api.url, grace) as right:
        await left.open(group)
        await right.open(group)
        await left.send("before")
        await right.sees("before")
        await marked(left)
        await left.page.context.set_offline(True)
        await expect(left.page.get_by_text(OFFLINE)).to_be_visible(timeout=SECONDS)
        await left.send("in the tunnel, one")
        await left.send("in the tunnel, two")
        waiting = left.page.locator(".message.pending")
        await expect(waiting).to_have_count(2)
        await expect(left.page.get_by_text("2 messages are waiting.")).to_be_visible()
        await grace.say(group, "meanwhile")
        await right.sees("meanwhile")

        await left.page.context.set_offline(False)
        await left.sees("meanwhile", "in the tunnel, one", "in the tunnel, two")
        await right.sees("in the tunnel, one", "in the tunnel, two")
        await expect(waiting).to_have_count(0)
        await expect(left.page.get_by_text(OFFLINE)).to_have_count(0)
        assert await is_marked(left)
        assert await left.shown() == await right.shown() == chat_site.stored(group)
        assert len(chat_site.stored(group)) == 4


async def test_unsent_messages_survive_the_window(browser: Browser, api: Api, node: Node, chat_site: Site) -> None:
    ada = await node.register("Ada")
    group = await ada.converse()
    async with window(browser, api.url, ada) as left:
        await left.open(group)
        await left.page.context.set_offline(True)
        await left.send("kept by the browser")
        await expect(left.page.locator(".message.pending")).to_have_count(1)
        assert chat_site.stored(group) == []
        await left.page.close()
        await left.page.context.set_offline(False)
        again = await left.page.context.new_page()
        await again.goto(f"{api.url}/#/c/{group}")
        await expect(again.locator(".message[data-seq='1'] .words")).to_have_text("kept by the browser")
        await expect(again.locator(".message")).to_have_count(1)
        assert chat_site.stored(group) == [{"seq": 1, "text": "kept by the browser"}]


async def test_both_pages_go_on_when_the_api_is_killed_and_comes_back(
    browser: Browser, api: Api, node: Node, chat_site: Site
) -> None:
    ada, grace = await node.register("Ada"), await node.register("Grace")
    group = await ada.converse(grace)
    # An API of its own: the other tests keep theirs.
    [own] = chat_site.processes.apis({})
    async with window(browser, own.url, ada) as left, window(browser, own.url, grace) as right:
        for opened in (left, right):
            await opened.open(group)
            await marked(opened)
        await left.send("one")
        await right.sees("one")
        own.kill()
        await left.send("two, while it was away")
        await right.send("three, while it was away")
        for opened in (left, right):
            await expect(opened.page.get_by_text(OFFLINE)).to_be_visible(timeout=SECONDS)
            await expect(opened.page.locator(".message.pending")).to_have_count(1)
        await asyncio.to_thread(chat_site.processes.again, own)
        for opened in (left, right):
            await opened.sees("two, while it was away", "three, while it was away")
            await expect(opened.page.get_by_text(OFFLINE)).to_have_count(0)
        await right.send("four")
        await left.sees("four")
        for opened in (left, right):
            await expect(opened.page.locator(".message.pending")).to_have_count(0)
            assert await is_marked(opened)
        assert await left.shown() == await right.shown() == chat_site.stored(group)
        assert len(chat_site.stored(group)) == 4


async def test_both_pages_go_on_while_redis_is_stopped(browser: Browser, node: Node, api: Api, chat_site: Site) -> None:
    ada, grace = await node.register("Ada"), await node.register("Grace")
    group = await ada.converse(grace)
    async with window(browser, api.url, ada) as left, window(browser, api.url, grace) as right:
        for opened in (left, right):
            await opened.open(group)
            await marked(opened)
        chat_site.valkey.stop()
        try:
            for number in range(5):
                await left.send(f"left {number}")
                await right.send(f"right {number}")
            for opened in (left, right):
                await opened.sees(*(f"{side} {number}" for side in ("left", "right") for number in range(5)))
        finally:
            chat_site.valkey.start()
        await right.send("over")
        await left.sees("over")
        for opened in (left, right):
            await expect(opened.page.locator(".message.pending")).to_have_count(0)
            assert await is_marked(opened)
        assert await left.shown() == await right.shown() == chat_site.stored(group)
        assert len(chat_site.stored(group)) == 11
