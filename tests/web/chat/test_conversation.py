"""Two people with a window each: what one does, the other sees at once."""

from __future__ import annotations

import asyncio
import re

import pytest
from playwright.async_api import Browser, expect

from tests.support.chat_page import faults, window
from tests.support.client import Node
from tests.support.processes import Api, Process

pytestmark = pytest.mark.browser


async def test_two_people_see_each_other_write_read_edit_answer_and_delete(
    browser: Browser, api: Api, node: Node
) -> None:
    ada, grace = await node.register("Ada"), await node.register("Grace")
    group = await ada.converse(grace)
    async with window(browser, api.url, ada) as left, window(browser, api.url, grace) as right:
        await left.open(group)
        await right.open(group)

        await left.field.press_sequentially("He")
        await expect(right.page.get_by_text("Ada Tester is typing …")).to_be_visible()
        await left.send("Hello Grace")
        await right.sees("Hello Grace")
        await expect(right.page.get_by_text("Ada Tester is typing …")).to_have_count(0)
        # Grace's window shows it, so she has read it; Ada's message says so.
        await expect(left.message("Hello Grace").get_by_text("Read", exact=True)).to_have_count(1)

        await right.act("Hello Grace", "Reply")
        await right.send("Hello @Ada, good morning")
        answer = left.message("Hello @Ada, good morning")
        await expect(answer.locator(".quoted-text")).to_have_text("Hello Grace")
        await expect(answer.locator(".mention.me")).to_have_text("@Ada")

        await right.act("Hello @Ada, good morning", "Edit")
        await expect(right.composer).to_have_value("Hello @Ada, good morning")
        await right.composer.fill("Hello Ada, good evening")
        await right.composer.press("Enter")
        await expect(left.message("Hello Ada, good evening").get_by_text("edited")).to_have_count(1)

        await left.act("Hello Grace", "Delete")
        await left.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        await expect(right.message("Hello Grace")).to_have_count(0)
        await expect(right.message("Hello Ada, good evening").locator(".quoted-text")).to_have_text("Message deleted")
        assert await left.shown() == await right.shown()
        assert faults(left) == faults(right) == []


async def test_presence_follows_a_window_that_opens_and_closes(browser: Browser, api: Api, node: Node) -> None:
    ada, grace = await node.register("Ada"), await node.register("Grace")
    await ada.post("/conversations/", kind="direct", user=grace.id)
    async with window(browser, api.url, ada) as left:
        row = left.row("Grace Tester")
        await expect(row.get_by_text("online")).to_have_count(0)
        async with window(browser, api.url, grace):
            await expect(row.get_by_text("online")).to_have_count(1)
        # The server waits ten seconds for another socket.
        await expect(row.get_by_text("online")).to_have_count(0, timeout=20_000)


async def test_badges_count_unread_messages_and_mark_a_mention(
    browser: Browser, api: Api, node: Node, worker: Process
) -> None:
    ada, grace = await node.register("Ada"), await node.register("Grace")
    group = await ada.converse(grace)
    async with window(browser, api.url, grace) as right:
        await ada.say(group, "one")
        await ada.say(group, "two, @Grace")
        row = right.row("Engines")
        await expect(row.get_by_text("2 unread messages")).to_have_count(1)
        await expect(row.get_by_text("You are mentioned")).to_have_count(1, timeout=30_000)
        await expect(right.page).to_have_title(re.compile(r"^\(2\) "))
        await expect(right.page.get_by_role("button", name="Notifications, 1 unread")).to_be_visible()
        await row.click()
        await expect(right.page.locator(".new-line")).to_have_count(1)
        await expect(row.get_by_text("You are mentioned")).to_have_count(0)
        await expect(row.locator(".badge")).to_have_count(0)
        read = await grace.get(f"/conversations/{group}/")
        for _ in range(100):
            if read["read_seq"] == 2:
                break
            await asyncio.sleep(0.1)
            read = await grace.get(f"/conversations/{group}/")
        assert (read["read_seq"], read["unread"]) == (2, 0)


async def test_a_mention_is_completed_by_keys(browser: Browser, api: Api, node: Node) -> None:
    ada, grace = await node.register("Ada"), await node.register("Grace")
    group = await ada.converse(grace)
    async with window(browser, api.url, ada) as left:
        await left.open(group)
        await expect(left.page.get_by_text("2 members", exact=False)).to_be_visible()
        await left.field.press_sequentially("@gr")
        option = left.page.get_by_role("option", name="Grace Tester")
        await expect(option).to_have_attribute("aria-selected", "true")
        await left.field.press("Enter")
        await expect(left.field).to_have_value("@Grace Tester ")
        await left.field.press_sequentially("hello")
        await left.field.press("Enter")
        await expect(left.message("@Grace Tester hello").locator(".mention")).to_have_text("@Grace Tester")


async def test_the_readers_of_a_message_are_listed(browser: Browser, api: Api, node: Node) -> None:
    ada, grace, linus = [await node.register(name) for name in ("Ada", "Grace", "Linus")]
    group = await ada.converse(grace, linus)
    await ada.say(group, "who reads this?")
    (await grace.call("PUT", f"/conversations/{group}/read/", {"seq": 1})).good()
    async with window(browser, api.url, ada) as left:
        await left.open(group)
        await left.act("who reads this?", "Seen by")
        people = left.page.get_by_role("dialog").get_by_role("listitem")
        await expect(people).to_have_count(1)
        await expect(people).to_contain_text("Grace Tester")


async def test_a_reply_leads_to_a_message_that_was_not_loaded(browser: Browser, api: Api, node: Node) -> None:
    ada = await node.register("Ada")
    group = await ada.converse()
    for number in range(1, 161):
        (await ada.say(group, f"number {number}")).good(201)
    (await ada.say(group, "back to the second", reply_to=2)).good(201)
    async with window(browser, api.url, ada) as left:
        await left.open(group)
        await expect(left.message("number 2")).to_have_count(0)
        quote = left.message("back to the second").locator(".quote")
        await expect(quote.locator(".quoted-text")).to_have_text("number 2")
        await quote.click()
        await expect(left.page.locator(".marked").get_by_text("number 2", exact=True)).to_be_visible()
        await left.page.get_by_role("button", name="To the newest message").click()
        await expect(left.message("back to the second")).to_be_in_viewport()


async def test_a_draft_survives_a_switch_and_a_reload(browser: Browser, api: Api, node: Node) -> None:
    ada, grace = await node.register("Ada"), await node.register("Grace")
    group = await ada.converse(grace)
    direct = (await ada.post("/conversations/", kind="direct", user=grace.id))["id"]
    await grace.say(group, "a question")
    async with window(browser, api.url, ada) as left:
        await left.open(group)
        await left.act("a question", "Reply")
        await left.field.fill("half an answer")
        await left.open(direct)
        await expect(left.field).to_have_value("")
        await left.open(group)
        await expect(left.field).to_have_value("half an answer")
        await left.page.reload()
        await expect(left.field).to_have_value("half an answer")
        await expect(left.page.locator(".about .quoted-text")).to_have_text("a question")
        await left.field.press("Enter")
        await left.sees("half an answer")
        sent = (await ada.page(group))[-1]
        assert (sent["text"], sent["reply_to"]) == ("half an answer", 1)
        await left.page.reload()
        await expect(left.field).to_have_value("")
