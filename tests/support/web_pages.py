"""The web app in a browser: a page whose requests and console are watched, and people who log in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from playwright.async_api import Browser, BrowserContext, Page, expect

from app.domain.orm import uuid7
from tests.support.browser import Watched
from tests.support.processes import Api
from tests.support.web import API, PASSWORD

EXPECTED = "Failed to load resource: the server responded with a status of 4"
"""The browser reports each refusal that a test provokes; only those."""


def address() -> str:
    return f"{uuid7()}@example.org"


@asynccontextmanager
async def opened(browser: Browser, url: str, route: str = "", **options: Any) -> AsyncIterator[Watched]:
    """A page of a browser of its own. Its requests stay on its origin, and its console has no complaint."""
    context: BrowserContext = await browser.new_context(**options)
    try:
        watched = Watched(await context.new_page())
        await watched.page.goto(f"{url}/{route}")
        yield watched
        assert [one for one in watched.requests if not one.startswith((url, "data:"))] == []
        assert [one for one in watched.complaints if not one.startswith(EXPECTED)] == []
    finally:
        await context.close()


def registered(api: Api, email: str, first_name: str = "Ada") -> None:
    person = {"email": email, "password": PASSWORD, "first_name": first_name, "last_name": "Lovelace"}
    assert httpx.post(f"{api.url}{API}/users/", json=person, trust_env=False).status_code == 201


async def log_in(page: Page, email: str, password: str = PASSWORD) -> None:
    await page.get_by_label("E-mail address").fill(email)
    await page.get_by_label("Password", exact=True).fill(password)
    await page.get_by_role("button", name="Log in").click()


async def settled(page: Page) -> None:
    """Waits until the user is in the chat: the browser keeps the login."""
    await expect(page.locator(".guest")).to_have_count(0)
    assert await page.evaluate("localStorage.getItem('chat.user')") is not None
