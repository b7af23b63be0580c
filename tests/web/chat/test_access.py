"""The chat without a mouse, on a narrow screen, and as assistive technology finds it."""

from __future__ import annotations

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, expect

from tests.support.chat_page import Window, window
from tests.support.client import Node
from tests.support.processes import Api

pytestmark = pytest.mark.browser


async def test_the_keyboard_alone_finds_writes_edits_answers_and_deletes(
    browser: Browser, api: Api, node: Node
) -> None:
    ada, grace = await node.register("Ada"), await node.register("Grace")
    group = await ada.converse(grace)
    await ada.post("/conversations/", kind="direct", user=grace.id)
    await grace.say(group, "a question")
    async with window(browser, api.url, ada) as left:
        page, keys = left.page, left.page.keyboard
        await keys.press("Control+k")
        await expect(page.get_by_role("searchbox")).to_be_focused()
        await keys.type("engi")
        await expect(page.locator(".list-row")).to_have_count(1)
        await keys.press("ArrowDown")
        await keys.press("Enter")
        await expect(left.field).to_be_focused()
        await keys.type("an anser")
        await keys.press("Enter")
        await left.sees("an anser")
        await keys.press("ArrowUp")
        await expect(left.composer).to_have_value("an anser")
        await keys.press("Control+a")
        await keys.type("an answer")
        await keys.press("Enter")
        await left.sees("an answer")
        await keys.press("PageUp")
        await expect(page.locator("article:focus")).to_contain_text("an answer")
        await keys.press("ArrowUp")
        await expect(page.locator("article:focus")).to_contain_text("a question")
        await keys.press("r")
        await expect(left.field).to_be_focused()
        await keys.type("a reply")
        await keys.press("Enter")
        await expect(left.message("a reply").locator(".quoted-text")).to_have_text("a question")
        await keys.press("PageUp")
        await expect(page.locator("article:focus")).to_contain_text("a reply")
        await keys.press("Delete")
        await expect(page.get_by_role("dialog")).to_be_visible()
        await page.get_by_role("dialog").get_by_role("button", name="Delete").press("Enter")
        await expect(left.message("a reply")).to_have_count(0)
        await left.field.focus()
        await keys.press("Escape")
        await expect(page.locator(".list-row[aria-current]")).to_be_focused()
        await keys.press("?")
        await expect(page.get_by_role("dialog").get_by_text("Keyboard shortcuts")).to_be_visible()
        await keys.press("Escape")
        await keys.press("Alt+ArrowDown")
        await expect(page.locator(".conversation-header h2")).to_have_text("Grace Tester")


async def test_a_narrow_screen_shows_one_thing_at_a_time(browser: Browser, api: Api, node: Node) -> None:
    ada = await node.register("Ada")
    group = await ada.converse()
    await ada.say(group, "a " + "very " * 60 + "long text, and https://example.org/" + "x" * 200)
    async with window(browser, api.url, ada, viewport={"width": 360, "height": 700}) as left:
        page = left.page
        await expect(left.row("Engines")).to_be_visible()
        await left.row("Engines").click()
        await expect(page.get_by_role("searchbox")).to_be_hidden()
        await expect(left.field).to_be_visible()
        await page.get_by_role("button", name="Details").click()
        await expect(left.field).to_be_hidden()
        await page.get_by_role("complementary").get_by_role("button", name="Close").click()
        await expect(left.field).to_be_visible()
        assert await page.evaluate("() => document.documentElement.scrollWidth") == 360
        await page.get_by_role("link", name="Back to the list").click()
        await expect(left.row("Engines")).to_be_visible()


async def found_by_axe(opened: Window) -> list[tuple[str, list[str]]]:
    answer = (await Axe().run(opened.page)).response
    return [(one["id"], [node["html"][:200] for node in one["nodes"]]) for one in answer["violations"]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_on_any_page_of_the_chat(browser: Browser, api: Api, node: Node, scheme: str) -> None:
    ada, grace = await node.register("Ada"), await node.register("Grace")
    group = await ada.converse(grace)
    await grace.say(group, "hello @Ada, see https://example.org")
    await ada.say(group, "hello", reply_to=1)
    deleted = (await ada.say(group, "gone")).body
    (await ada.call("DELETE", f"/conversations/{group}/messages/{deleted['id']}/")).good()
    async with window(browser, api.url, ada, color_scheme=scheme, reduced_motion="reduce") as left:
        page = left.page
        assert await found_by_axe(left) == []
        await left.open(group)
        await left.sees("hello")
        await page.get_by_role("button", name="Details").click()
        await expect(page.get_by_role("radio", name="If mentioned")).to_be_visible()
        await left.act("hello", "Reply")
        await left.field.fill("@gr")
        await left.field.press("End")
        await expect(page.get_by_role("option")).to_have_count(1)
        assert await found_by_axe(left) == []
        await left.field.press("Escape")
        for name in ("Write to a person", "New group", "Discover groups"):
            await page.get_by_role("button", name="New conversation").click()
            await page.get_by_role("menuitem", name=name).click()
            await expect(page.get_by_role("dialog")).to_be_visible()
            assert await found_by_axe(left) == []
            await page.keyboard.press("Escape")
        await page.get_by_role("button", name="Notifications", exact=True).click()
        assert await found_by_axe(left) == []
        await page.keyboard.press("Escape")
        await left.act("hello", "Seen by")
        await expect(page.get_by_role("dialog").get_by_text("Sent")).to_be_visible()
        assert await found_by_axe(left) == []
