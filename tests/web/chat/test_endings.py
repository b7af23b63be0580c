"""Logins and sockets that the server ends: the page says why, and keeps what was written."""

from __future__ import annotations

from contextlib import AsyncExitStack

import pytest
from playwright.async_api import Browser, expect

from tests.support.chat_page import SECONDS, window
from tests.support.client import PASSWORD, Node
from tests.support.processes import Api
from tests.support.site import Site

pytestmark = pytest.mark.browser

SOCKETS = 20
"""The server's limit for a user and process."""


async def test_too_many_sockets_are_named_until_some_close(browser: Browser, api: Api, node: Node) -> None:
    ada = await node.register("Ada")
    await ada.converse()
    async with AsyncExitStack() as others:
        for _ in range(SOCKETS):
            await others.enter_async_context(ada.listening())
        async with window(browser, api.url, ada) as opened:
            sentence = opened.page.get_by_text("This account is open in too many places.")
            await expect(sentence).to_be_visible(timeout=SECONDS)
            await others.aclose()
            await opened.row("Engines").click(timeout=60_000)
            await expect(sentence).to_have_count(0)
            await opened.send("room again")
            await opened.sees("room again")


async def test_a_login_that_is_ended_elsewhere_leads_to_the_login_and_back(
    browser: Browser, api: Api, node: Node, chat_site: Site
) -> None:
    ada = await node.register("Ada")
    group = await ada.converse()
    other = await node.log_in(ada.email)
    async with window(browser, api.url, ada) as left:
        await left.open(group)
        await left.field.fill("half a thought")
        await left.page.context.set_offline(True)
        await left.field.press("Enter")
        await expect(left.page.locator(".message.pending")).to_have_count(1)
        [mine] = [one for one in (await other.get("/sessions/"))["items"] if not one["current"]]
        (await other.call("DELETE", f"/sessions/{mine['id']}/")).good(204)
        await left.page.context.set_offline(False)
        await expect(left.page.get_by_label("Password", exact=True)).to_be_visible(timeout=SECONDS)
        await expect(left.page.locator(".notice.warning")).to_be_visible()
        assert chat_site.stored(group) == []
        await left.page.get_by_label("E-mail").fill(ada.email)
        await left.page.get_by_label("Password", exact=True).fill(PASSWORD)
        await left.page.get_by_label("Password", exact=True).press("Enter")
        await left.sees("half a thought")
        assert [one["text"] for one in chat_site.stored(group)] == ["half a thought"]
