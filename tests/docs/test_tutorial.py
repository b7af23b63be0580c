"""The steps of docs/tutorial.md in a browser: two windows of examples/chat.html talk, and one catches up."""

from __future__ import annotations

import asyncio
import re

import pytest
from playwright.async_api import expect

from app.local.demo.demo_data import PASSWORD
from tests.docs import generate
from tests.docs.tutorial_page import LINES, Started, newest, say, window
from tests.support.browser import chromium
from tests.support.client import Node

TEXT = generate.TUTORIAL.read_text(encoding="utf-8")


async def test_the_steps_work_as_written(started: Started) -> None:
    all_of_them, api, address = started
    async with (
        chromium() as browser,
        window(browser, address, "ada@example.org") as ada,
        window(browser, address, "grace@example.org") as grace,
    ):
        await say(ada, "Good evening.")
        for page in (ada, grace):
            await expect(page.locator("#messages li").last).to_have_text("Ada: Good evening.")

        await grace.get_by_label("online").uncheck()
        await expect(grace.locator("#state")).to_have_text(re.compile("closed"))
        for number in ("first", "second"):
            await say(ada, f"The {number} while you were away.")
            await expect(ada.locator("#messages li").last).to_have_text(f"Ada: The {number} while you were away.")
        assert await newest(grace, 1) == ["Ada: Good evening."]
        await grace.get_by_label("online").check()
        await expect(grace.locator("#messages li")).to_have_count(LINES + 3)
        assert await newest(grace, 2) == ["Ada: The first while you were away.", "Ada: The second while you were away."]

        await asyncio.to_thread(api.end)
        for page in (ada, grace):
            await expect(page.locator("#state")).to_have_text(re.compile("closed"))
        await say(ada, "Into the dark.")
        await asyncio.to_thread(all_of_them.again, api)
        for page in (ada, grace):
            await expect(page.locator("#state")).to_have_text("live", timeout=30_000)
            await expect(page.locator("#messages li")).to_have_count(LINES + 4, timeout=30_000)
            assert await newest(page, 1) == ["Ada: Into the dark."]


async def test_too_long_an_absence_starts_again_from_the_newest_page(started: Started) -> None:
    _, api, address = started
    async with chromium() as browser, window(browser, address, "grace@example.org") as grace:
        await grace.get_by_label("online").uncheck()
        await expect(grace.locator("#state")).to_have_text(re.compile("closed"))
        node = Node(api.url)
        ada = await node.log_in("ada@example.org", PASSWORD)
        (room,) = (await ada.get("/conversations/", search="Engine room"))["items"]
        for first in range(0, 1_001, 50):
            await asyncio.gather(*(ada.say(room["id"], f"Line {number}") for number in range(first, first + 50)))
        (last,) = await ada.page(room["id"], limit=1)
        await node.close()
        await grace.get_by_label("online").check()
        await expect(grace.locator("#messages li").last).to_have_text(f"Ada: {last['text']}")
        await expect(grace.locator("#messages li")).to_have_count(50)
        await say(grace, "That was a lot.")
        await expect(grace.locator("#messages li").last).to_have_text("Grace: That was a lot.")


def test_the_page_is_shown_as_it_is() -> None:
    assert generate.regenerated(generate.TUTORIAL) == TEXT, "make documents"
    assert PASSWORD in TEXT


@pytest.mark.parametrize("command", ["make up", "make demo", "python3 -m http.server 5173 --bind 127.0.0.1"])
def test_the_commands_are_those_of_the_test(command: str) -> None:
    assert command in TEXT
    assert "ALLOWED_ORIGINS=http://127.0.0.1:8000,http://127.0.0.1:5173" in TEXT
