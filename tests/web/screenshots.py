"""`make screenshots`: each page of the web app in light, in dark, and on a phone, below docs/screenshots."""

from __future__ import annotations

from typing import Any, Final

import httpx
import pytest
from playwright.async_api import Browser, expect

from tests.support.node import ROOT
from tests.support.processes import Api
from tests.support.web import API, PASSWORD
from tests.support.web_pages import address, log_in, opened, registered

OUT: Final = ROOT / "docs" / "screenshots"
LOOKS: Final[dict[str, dict[str, Any]]] = {
    "light": {"color_scheme": "light", "viewport": {"width": 1280, "height": 800}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1280, "height": 800}},
    "phone": {"color_scheme": "light", "viewport": {"width": 360, "height": 740}, "device_scale_factor": 2},
}
GUEST: Final = {"login": "", "register": "#/register", "forgot": "#/forgot"}
OWN: Final = {f"settings-{name}": f"#/settings/{name}" for name in ("profile", "security", "sessions", "appearance")}


@pytest.mark.browser
@pytest.mark.parametrize("look", LOOKS)
async def test_the_pages_of_an_account_are_drawn(browser: Browser, api: Api, look: str) -> None:
    email = address()
    registered(api, email)
    OUT.mkdir(exist_ok=True)
    async with opened(browser, api.url, **LOOKS[look]) as watched:
        page = watched.page
        for name, route in (GUEST | OWN).items():
            await page.goto(f"{api.url}/{route}")
            if name == "settings-profile":
                await log_in(page, email)
            if name in OWN:
                await expect(page.get_by_role("heading", name="Settings")).to_be_visible()
            await expect(page.get_by_role("status").filter(has_text="Loading")).to_have_count(0)
            await page.screenshot(path=OUT / f"{name}-{look}.png")


CONVERSATION: Final = (
    ("grace", "The compiler found the moth again."),
    ("ada", "In the same relay? I wrote the notes for that table."),
    ("grace", "Same relay. @Ada can you send me the third column?"),
    ("ada", "It is in the paper of last week, page 4: https://example.org/notes"),
    ("grace", "Thank you! The engine is running since noon."),
    ("ada", "Then let us try the Bernoulli numbers tonight."),
)


def conversation(api: Api, people: dict[str, str]) -> str:
    """The id of a group in which these people, by first name and e-mail address, have talked."""
    with httpx.Client(base_url=f"{api.url}{API}", trust_env=False, timeout=20) as http:
        logins = {
            name: http.post("/login/", json={"email": people[name], "password": PASSWORD}).json() for name in people
        }
        headers = {name: {"Authorization": f"Bearer {login['access']}"} for name, login in logins.items()}
        for name in ("Compilers", "Reading club"):
            http.post("/conversations/", json={"name": name}, headers=headers["ada"])
        group = str(
            http.post("/conversations/", json={"name": "Analytical engine"}, headers=headers["ada"]).json()["id"]
        )
        http.post(
            f"/conversations/{group}/add_member/", json={"user": logins["grace"]["user"]["id"]}, headers=headers["ada"]
        )
        for name, text in CONVERSATION:
            body = {"message_type": "text", "text": text}
            assert http.post(f"/conversations/{group}/messages/", json=body, headers=headers[name]).status_code == 201
    return group


@pytest.mark.browser
@pytest.mark.parametrize("look", LOOKS)
async def test_a_conversation_is_drawn(browser: Browser, api: Api, look: str) -> None:
    people = {"ada": address(), "grace": address()}
    for name, email in people.items():
        registered(api, email, name.capitalize())
    group = conversation(api, people)
    OUT.mkdir(exist_ok=True)
    async with opened(browser, api.url, f"#/c/{group}", **LOOKS[look]) as watched:
        await log_in(watched.page, people["ada"])
        await expect(watched.page.get_by_text(CONVERSATION[-1][1]).last).to_be_visible()
        await watched.page.screenshot(path=OUT / f"chat-{look}.png")
