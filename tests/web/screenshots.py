"""`make screenshots`: each page of the web app in light, in dark, and on a phone, below docs/screenshots."""

from __future__ import annotations

from typing import Any, Final

import pytest
from playwright.async_api import Browser, expect

from tests.support.node import ROOT
from tests.support.processes import Api
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
