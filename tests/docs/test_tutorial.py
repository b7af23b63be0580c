"""The steps of docs/tutorial.md in a browser: two windows of examples/chat.html talk, and one catches up."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from app.local.demo_data import CONVERSATIONS, PASSWORD
from app.local.processes import free_port, port_is_taken, wait_until
from tests.docs import generate
from tests.support.browser import chromium, watched_page
from tests.support.client import Node
from tests.support.processes import Api, Processes, processes
from tests.support.servers import public_directory

TEXT = generate.TUTORIAL.read_text(encoding="utf-8")
LINES = len(CONVERSATIONS["Engine room"]["lines"])


@contextmanager
def served(directory: Path) -> Iterator[int]:
    """The folder by Python's own server, as the tutorial serves it. Yields the port."""
    port, log = free_port(), directory / "server.log"
    command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(directory)]
    with log.open("wb") as said:
        server = subprocess.Popen(command, stdout=said, stderr=said)
    try:
        wait_until(lambda: port_is_taken(port), server, seconds=30, what="the page's server", log=log)
        yield port
    finally:
        server.kill()
        server.wait()


@pytest.fixture
def started(fresh_database_url: str, redis_url: str, tmp_path: Path) -> Iterator[tuple[Processes, Api, str]]:
    """Steps 1 to 3: a chat that allows the page's origin, the demo's people, and the page's address."""
    with (
        public_directory() as directory,
        processes(directory, fresh_database_url, redis_url) as all_of_them,
        served(tmp_path) as port,
    ):
        (api,) = all_of_them.apis({"ALLOWED_ORIGINS": f"http://127.0.0.1:8000,http://127.0.0.1:{port}"})
        page = generate.PAGE.read_text(encoding="utf-8").replace(":8000", f":{api.port}")
        (tmp_path / "chat.html").write_text(page, encoding="utf-8")
        demo = [sys.executable, "-m", "app.cli", "demo"]
        environment = {**all_of_them.environment, "PORT": str(api.port), "PATH": ""}
        subprocess.run(demo, cwd=generate.PAGE.parents[1], env=environment, check=True, capture_output=True, timeout=60)
        yield all_of_them, api, f"http://127.0.0.1:{port}/chat.html"


@asynccontextmanager
async def window(browser: Browser, address: str, email: str) -> AsyncIterator[Page]:
    """A window of the page, logged in, in which "Engine room" is open."""
    async with watched_page(browser) as watched:
        page = watched.page
        await page.goto(address)
        await page.get_by_placeholder("E-mail").fill(email)
        await page.get_by_placeholder("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Log in").click()
        await expect(page.locator("#state")).to_have_text("live")
        await page.get_by_role("button", name="Engine room").click()
        await expect(page.locator("#messages li")).to_have_count(LINES)
        yield page


async def say(page: Page, text: str) -> None:
    await page.get_by_placeholder("Message").fill(text)
    await page.get_by_role("button", name="Send").click()


async def newest(page: Page, count: int) -> list[str]:
    return (await page.locator("#messages li").all_inner_texts())[-count:]


async def test_the_steps_work_as_written(started: tuple[Processes, Api, str]) -> None:
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


async def test_too_long_an_absence_starts_again_from_the_newest_page(started: tuple[Processes, Api, str]) -> None:
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
