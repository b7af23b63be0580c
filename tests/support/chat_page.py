"""People who use the chat in a browser, each in a window of their own."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from playwright.async_api import Browser, Locator, Page, expect

from tests.support.browser import Watched
from tests.support.client import Person

TOKENS: Final = "chat.tokens"
SECONDS: Final = 20_000
"""Milliseconds for anything that must happen on a page, also after an outage."""

SHOWN: Final = """() => [...document.querySelectorAll('.message')].map(row => ({
    seq: row.dataset.seq ? Number(row.dataset.seq) : null,
    text: row.querySelector('.words')?.textContent ?? '',
}))"""


class Window:
    """A person's window: `page` and what it did (`watched`), with the words of the chat."""

    def __init__(self, watched: Watched, url: str, person: Person) -> None:
        self.watched = watched
        self.page: Page = watched.page
        self.url = url
        self.person = person

    @property
    def field(self) -> Locator:
        return self.page.get_by_role("textbox", name="Write a message")

    @property
    def composer(self) -> Locator:
        """The text field, whether it writes or edits."""
        return self.page.locator(".composer textarea")

    async def open(self, conversation: str) -> None:
        """Opens the conversation by its address, without a reload, and waits for its newest state."""
        await self.page.evaluate("id => { location.hash = `#/c/${id}` }", conversation)
        await self.page.locator(".timeline").wait_for()

    async def send(self, text: str) -> None:
        await self.field.fill(text)
        await self.field.press("Enter")

    def message(self, text: str) -> Locator:
        """The row of a stored message with exactly this text."""
        words = self.page.locator(".words", has_text=re.compile(f"^{re.escape(text)}$"))
        return self.page.locator(".message[data-seq]").filter(has=words)

    def row(self, title: str) -> Locator:
        """The conversation's row in the list."""
        return self.page.locator(".list-row").filter(has=self.page.get_by_text(title, exact=True))

    async def sees(self, *texts: str) -> None:
        for text in texts:
            await expect(self.message(text)).to_have_count(1, timeout=SECONDS)

    async def act(self, text: str, action: str) -> None:
        """Chooses an action from the menu of a message."""
        row = self.message(text)
        await row.hover()
        await row.get_by_role("button", name="Actions of the message").click()
        await self.page.get_by_role("menuitem", name=action, exact=True).click()

    async def shown(self) -> list[dict[str, Any]]:
        """All rows of messages that the page has, in their order: `seq` (null while on its way) and `text`."""
        rows: list[dict[str, Any]] = await self.page.evaluate(SHOWN)
        return rows

    async def close(self) -> None:
        await self.page.context.close()


@asynccontextmanager
async def window(browser: Browser, url: str, person: Person, **options: Any) -> AsyncIterator[Window]:
    """The chat at `url`, opened by `person` with the login that they have; `options` are those of the context."""
    context = await browser.new_context(**{"locale": "en-GB", "viewport": {"width": 1280, "height": 800}, **options})
    page = await context.new_page()
    try:
        await page.goto(url + "/#/login")
        pair = json.dumps({"access": person.access, "refresh": person.refresh})
        await page.evaluate("pair => localStorage.setItem('chat.tokens', pair)", pair)
        await page.goto("about:blank")
        watched = Watched(page)
        await page.goto(url)
        await page.get_by_role("searchbox").wait_for()
        yield Window(watched, url, person)
    finally:
        await context.close()


def faults(opened: Window) -> list[str]:
    """What the console complained about, except the answer that this is no development with embedded servers."""
    return [line for line in opened.watched.complaints if "404 (Not Found)" not in line]
