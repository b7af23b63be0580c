"""The pages of an account, used as people use them: in a browser, by name and by keyboard."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, expect

from tests.support.mailbox import Mailboxes, link_of, text_of
from tests.support.places import Place
from tests.support.processes import Api
from tests.support.web import API, PASSWORD
from tests.support.web_pages import address, log_in, opened, registered, settled

pytestmark = pytest.mark.browser


async def test_a_newcomer_registers_and_stays_logged_in(browser: Browser, api: Api) -> None:
    email = address()
    async with opened(browser, api.url) as watched:
        page = watched.page
        await page.get_by_role("link", name="Create an account").click()
        await page.get_by_label("First name").fill("Ada")
        await page.get_by_label("Last name").fill("Lovelace")
        await page.get_by_label("E-mail address").fill(email)
        await page.get_by_label("Password", exact=True).fill("password1")
        await page.get_by_role("button", name="Create the account").click()
        wrong = page.get_by_label("Password", exact=True)
        await expect(wrong).to_have_attribute("aria-invalid", "true")
        await expect(wrong).to_have_accessible_description(
            "At least 8 characters; spaces and all letters are allowed. "
            "This password is among the most common ones, which attackers try first."
        )
        await expect(wrong).to_be_focused()
        await wrong.fill(PASSWORD)
        await page.get_by_role("button", name="Create the account").click()
        await settled(page)
        await page.reload()
        await settled(page)
        await page.goto(f"{api.url}/#/settings/profile")
        await expect(page.get_by_label("First name")).to_have_value("Ada")
        await expect(page.get_by_text(f"It is {email}.")).to_be_visible()


async def test_a_taken_address_is_reported_at_its_field(browser: Browser, api: Api) -> None:
    email = address()
    registered(api, email)
    async with opened(browser, api.url, "#/register") as watched:
        page = watched.page
        await page.get_by_label("First name").fill("Eve")
        await page.get_by_label("Last name").fill("Mallory")
        await page.get_by_label("E-mail address").fill(email)
        await page.get_by_label("Password", exact=True).fill(PASSWORD)
        await page.get_by_role("button", name="Create the account").click()
        await expect(page.get_by_label("E-mail address")).to_have_accessible_description(
            "There is already an account with this e-mail address."
        )


async def test_a_wrong_password_is_refused_with_a_sentence(browser: Browser, api: Api) -> None:
    email = address()
    registered(api, email)
    async with opened(browser, api.url) as watched:
        page = watched.page
        await log_in(page, email, "not the password")
        await expect(page.get_by_role("alert")).to_have_text("The e-mail address or password is wrong.")
        assert await page.evaluate("localStorage.getItem('chat.tokens')") is None
        await log_in(page, email)
        await settled(page)


async def test_the_password_can_be_shown(browser: Browser, api: Api) -> None:
    async with opened(browser, api.url) as watched:
        field = watched.page.get_by_label("Password", exact=True)
        await expect(field).to_have_attribute("type", "password")
        await watched.page.get_by_role("button", name="Show the password").click()
        await expect(field).to_have_attribute("type", "text")
        await watched.page.get_by_role("button", name="Hide the password").click()
        await expect(field).to_have_attribute("type", "password")


async def test_keys_alone_log_in_change_the_name_and_log_out(browser: Browser, api: Api) -> None:
    email = address()
    registered(api, email)
    async with opened(browser, api.url, "#/settings") as watched:
        page = watched.page
        await expect(page.get_by_label("E-mail address")).to_be_focused()
        await page.keyboard.type(email)
        await page.keyboard.press("Tab")
        await page.keyboard.type(PASSWORD)
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", name="Settings")).to_be_visible()
        await tab_to(page, "First name")
        await page.keyboard.press("Control+a")
        await page.keyboard.type("Augusta")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("status").filter(has_text="Saved.")).to_be_visible()
        await tab_to(page, "Log out")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", name="Log in")).to_be_visible()


async def tab_to(page: Page, name: str) -> None:
    """Presses Tab until the element with this name has the focus, which must be visible."""
    for _ in range(60):
        await page.keyboard.press("Tab")
        focused = await page.evaluate(
            "(() => { const one = document.activeElement; const outline = getComputedStyle(one).outlineStyle;"
            " return [one.labels?.[0]?.textContent ?? one.getAttribute('aria-label') ?? one.textContent, outline] })()"
        )
        if focused[0] == name:
            assert focused[1] != "none"
            return
    raise AssertionError(f"Tab does not reach {name}")


async def test_a_forgotten_password_is_replaced_by_the_mails_link(
    browser: Browser, api: Api, mailboxes: Mailboxes
) -> None:
    email, new = address(), "another one, and better"
    registered(api, email)
    async with opened(browser, api.url) as watched:
        page = watched.page
        await page.get_by_role("link", name="Forgot your password?").click()
        await page.get_by_label("E-mail address").fill(email)
        await page.get_by_role("button", name="Send the link").click()
        await expect(page.get_by_role("status").filter(has_text="is on its way")).to_be_visible()
        link = link_of(await mailboxes.wait_for(email, "Choose a new password"))
        await page.goto(f"{api.url}/account#{link.partition('#')[2]}")
        await page.get_by_label("New password").fill(new)
        await page.get_by_role("button", name="Set this password").click()
        await page.get_by_role("link", name="Log in to Chat").click()
        await log_in(page, email, new)
        await settled(page)


async def test_accounts_that_wait_for_activation_say_so(browser: Browser, place: Place, mailboxes: Mailboxes) -> None:
    [api] = place.processes.apis({"REQUIRE_ACTIVATION": "true"})
    email = address()
    async with opened(browser, api.url, "#/register") as watched:
        page = watched.page
        await page.get_by_label("First name").fill("Grace")
        await page.get_by_label("Last name").fill("Hopper")
        await page.get_by_label("E-mail address").fill(email)
        await page.get_by_label("Password", exact=True).fill(PASSWORD)
        await page.get_by_role("button", name="Create the account").click()
        await expect(page.get_by_role("status").filter(has_text=f"A mail to {email} is on its way.")).to_be_visible()
        await page.get_by_role("link", name="Log in").click()
        await log_in(page, email)
        await expect(page.get_by_role("alert")).to_contain_text("not activated yet")
        await page.get_by_role("link", name="Send the activation mail again").click()
        await page.get_by_label("E-mail address").fill(email)
        await page.get_by_role("button", name="Send the link").click()
        await expect(page.get_by_role("status").filter(has_text="is on its way")).to_be_visible()
        link = link_of(await mailboxes.wait_for(email, "Activate", number=2))
        await page.goto(f"{api.url}/account#{link.partition('#')[2]}")
        await page.get_by_role("button", name="Activate the account").click()
        await page.get_by_role("link", name="Log in to Chat").click()
        await log_in(page, email)
        await settled(page)


async def test_after_too_many_guesses_the_owner_logs_in_with_a_mailed_code(
    browser: Browser, api: Api, mailboxes: Mailboxes
) -> None:
    email = address()
    registered(api, email)
    guess_wrongly(api, email, times=10)
    async with opened(browser, api.url) as watched:
        page = watched.page
        await log_in(page, email)
        await expect(page.get_by_role("heading", name="Check your mail")).to_be_visible()
        await page.get_by_label("Code from the mail").fill("AAAA-BBBB")
        await page.get_by_role("button", name="Log in").click()
        await expect(page.get_by_label("Code from the mail")).to_have_accessible_description(
            "This code or the password is wrong. A right password sends another code."
        )
        letter = text_of(await mailboxes.wait_for(email, "code"))
        await page.get_by_label("Code from the mail").fill(mailed_code(letter))
        await page.get_by_role("button", name="Log in").click()
        await settled(page)


def guess_wrongly(api: Api, email: str, times: int) -> None:
    for _ in range(times):
        guess = {"email": email, "password": "a wrong guess"}
        answer = httpx.post(f"{api.url}{API}/login/", json=guess, trust_env=False, timeout=10)
        assert answer.status_code == 401


def mailed_code(letter: str) -> str:
    return next(line.strip() for line in letter.splitlines() if line.startswith("    ") and line.strip())


async def test_a_logout_in_one_tab_reaches_the_others(browser: Browser, api: Api) -> None:
    email = address()
    registered(api, email)
    async with opened(browser, api.url, "#/settings") as watched:
        await log_in(watched.page, email)
        await expect(watched.page.get_by_role("heading", name="Settings")).to_be_visible()
        other = await watched.page.context.new_page()
        await other.goto(f"{api.url}/#/settings")
        await expect(other.get_by_role("heading", name="Settings")).to_be_visible()
        await watched.page.get_by_role("button", name="Log out").click()
        await expect(other.get_by_role("heading", name="Log in")).to_be_visible()
        kept = await other.evaluate("Object.keys(localStorage).filter(key => key.startsWith('chat.'))")
        assert kept == []


async def test_a_reader_of_german_gets_german_and_may_choose_english(browser: Browser, api: Api) -> None:
    async with opened(browser, api.url, locale="de-AT") as watched:
        page = watched.page
        await expect(page.get_by_role("heading", name="Anmelden")).to_be_visible()
        assert await page.evaluate("document.documentElement.lang") == "de"
        await page.get_by_label("E-Mail-Adresse").fill("ada@example.org")
        await page.get_by_label("Passwort", exact=True).fill("falsch und lang")
        await page.get_by_role("button", name="Anmelden").click()
        await expect(page.get_by_role("alert")).to_have_text("Die E-Mail-Adresse oder das Passwort ist falsch.")
        await page.get_by_role("button", name="Sprache: Deutsch").click()
        await page.get_by_role("menuitemradio", name="English").click()
        await expect(page.get_by_role("heading", name="Log in")).to_be_visible()
        await page.reload()
        await expect(page.get_by_role("heading", name="Log in")).to_be_visible()


GUEST = ("", "#/register", "#/forgot", "#/resend", "#/invite/unknown")
OWN = ("#/settings/profile", "#/settings/security", "#/settings/sessions", "#/settings/appearance")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
async def test_axe_finds_nothing_and_no_page_is_wider_than_its_window(
    browser: Browser, api: Api, scheme: str, width: int
) -> None:
    email = address()
    registered(api, email)
    options: dict[str, Any] = {"color_scheme": scheme, "viewport": {"width": width, "height": 800}}
    async with opened(browser, api.url, **options) as watched:
        page = watched.page
        for route in (*GUEST, *OWN):
            await page.goto(f"{api.url}/{route}")
            if route == OWN[0]:
                await log_in(page, email)
            await expect(page.get_by_role("heading", name="Settings")).to_have_count(1 if route in OWN else 0)
            await expect(page.locator("h1")).to_be_visible()
            await expect(page.get_by_role("status").filter(has_text="Loading")).to_have_count(0)
            found = await Axe().run(page)
            assert [(route, one["id"], one["nodes"][0]["html"]) for one in found.response["violations"]] == []
            assert await page.evaluate("document.documentElement.scrollWidth") <= width, route


async def test_a_menu_and_a_dialog_have_nothing_that_axe_finds(browser: Browser, api: Api) -> None:
    email = address()
    registered(api, email)
    async with opened(browser, api.url) as watched:
        page = watched.page
        await page.get_by_role("button", name="Language: English").click()
        await expect(page.get_by_role("menuitemradio", name="English")).to_be_focused()
        await page.keyboard.press("ArrowDown")
        await expect(page.get_by_role("menuitemradio", name="Deutsch")).to_be_focused()
        assert (await Axe().run(page)).response["violations"] == []
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("button", name="Language: English")).to_be_focused()
        await page.goto(f"{api.url}/#/settings/profile")
        await log_in(page, email)
        await page.get_by_role("button", name="Close the account …").click()
        await expect(page.get_by_role("dialog")).to_be_visible()
        assert (await Axe().run(page)).response["violations"] == []
