"""The page of docs/tutorial.md in a browser, served as the tutorial serves it, in front of a chat of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from app.local.demo.demo_data import CONVERSATIONS, PASSWORD
from app.local.processes import free_port, port_is_taken, wait_until
from tests.docs import generate
from tests.support.browser import watched_page
from tests.support.processes import Api, Processes, processes
from tests.support.servers import public_directory

LINES = len(CONVERSATIONS["Engine room"]["lines"])
Prepare = Callable[[Page], Awaitable[None]]
Started = tuple[Processes, Api, str]
"""The chat's processes, its API, and the page's address."""


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


@contextmanager
def page_and_chat(database_url: str, redis_url: str, folder: Path) -> Iterator[Started]:
    """Steps 1 to 3: a chat that allows the page's origin, the demo's people, and the page's address."""
    with (
        public_directory() as directory,
        processes(directory, database_url, redis_url) as all_of_them,
        served(folder) as port,
    ):
        (api,) = all_of_them.apis({"ALLOWED_ORIGINS": f"http://127.0.0.1:8000,http://127.0.0.1:{port}"})
        page = generate.PAGE.read_text(encoding="utf-8").replace(":8000", f":{api.port}")
        (folder / "chat.html").write_text(page, encoding="utf-8")
        demo = [sys.executable, "-m", "app.cli", "demo"]
        environment = {**all_of_them.environment, "PORT": str(api.port), "PATH": ""}
        subprocess.run(demo, cwd=generate.PAGE.parents[1], env=environment, check=True, capture_output=True, timeout=60)
        yield all_of_them, api, f"http://127.0.0.1:{port}/chat.html"


@pytest.fixture
def started(fresh_database_url: str, redis_url: str, tmp_path: Path) -> Iterator[Started]:
    """For one test, which may stop the chat."""
    with page_and_chat(fresh_database_url, redis_url, tmp_path) as found:
        yield found


@pytest.fixture(scope="module")
def standing(database_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    """For all tests of a module, which add messages."""
    with page_and_chat(database_url, redis_url, tmp_path_factory.mktemp("page")) as found:
        yield found


@asynccontextmanager
async def window(browser: Browser, address: str, email: str, prepare: Prepare | None = None) -> AsyncIterator[Page]:
    """A window of the page, logged in, in which "Engine room" is open. `prepare` gets the page before it is loaded."""
    async with watched_page(browser) as watched:
        page = watched.page
        if prepare is not None:
            await prepare(page)
        await page.goto(address)
        await page.get_by_placeholder("E-mail").fill(email)
        await page.get_by_placeholder("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Log in").click()
        await expect(page.locator("#state")).to_have_text("live")
        await page.get_by_role("button", name="Engine room").click()
        await expect(page.locator("#messages li").nth(LINES - 1)).to_be_visible()
        yield page


async def say(page: Page, text: str) -> None:
    await page.get_by_placeholder("Message").fill(text)
    await page.get_by_role("button", name="Send").click()


async def newest(page: Page, count: int) -> list[str]:
    return (await page.locator("#messages li").all_inner_texts())[-count:]
