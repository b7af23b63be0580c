"""The links in mails, followed by a person with a browser."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser

from tests.support.browser import chromium, watched_page
from tests.support.mailbox import Mailboxes, link_of, text_of, token_of
from tests.support.web import API, PASSWORD
from tests.system.mails.conftest import PUBLIC_URL, Place
from tests.system.mails.test_account_flows import address

pytestmark = pytest.mark.browser

NEW = "another one, and better"


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def url(place: Place, mailboxes: Mailboxes) -> str:
    [api] = place.processes.apis({"REQUIRE_ACTIVATION": "true"})
    return api.url


@pytest.fixture
async def http(url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=20) as client:
        yield client


def here(link: str, url: str) -> str:
    """The link, as if PUBLIC_URL were this machine."""
    assert link.startswith(f"{PUBLIC_URL}/account#")
    return link.replace(PUBLIC_URL, url)


async def test_a_user_activates_and_later_resets_the_password(
    browser: Browser, url: str, http: httpx.AsyncClient, mailboxes: Mailboxes, place: Place
) -> None:
    email = address()
    person = {"email": email, "password": PASSWORD, "first_name": "Ada", "last_name": "Lovelace"}
    assert (await http.post(f"{API}/users/", json=person)).status_code == 202
    link = here(link_of(await mailboxes.wait_for(email, "Activate")), url)
    async with watched_page(browser) as watched:
        page = watched.page
        await page.goto(link)
        assert page.url == f"{url}/account"
        # Looking is not activating: programs follow links, too.
        credentials = {"email": email, "password": PASSWORD}
        assert (await http.post(f"{API}/login/", json=credentials)).json()["code"] == "not_activated"
        found = await Axe().run(page)
        assert found.response["violations"] == []
        await page.get_by_role("button", name="Activate the account").click()
        await page.get_by_text("Your account is active.").wait_for()
        assert (await http.post(f"{API}/login/", json=credentials)).status_code == 200
        await page.goto("about:blank")
        await page.goto(link)
        await page.get_by_role("button", name="Activate the account").click()
        await page.get_by_text("invalid or has expired").wait_for()
        watched.complaints.clear()  # that the server said 400

        assert (await http.post(f"{API}/forgot-password/", json={"email": email})).status_code == 204
        await page.goto("about:blank")
        await page.goto(here(link_of(await mailboxes.wait_for(email, "Choose a new password")), url))
        await page.get_by_label("New password").fill("password1")
        await page.get_by_role("button", name="Set this password").click()
        await page.get_by_text("among the most common ones").wait_for()
        watched.complaints.clear()
        await page.get_by_label("New password").fill(NEW)
        assert (await Axe().run(page)).response["violations"] == []
        await page.get_by_role("button", name="Set this password").click()
        await page.get_by_text("Your password has been changed.").wait_for()
        answer = await http.post(f"{API}/login/", json={"email": email, "password": NEW})
        assert answer.status_code == 200

        new = address()
        headers = {"Authorization": f"Bearer {answer.json()['access']}"}
        requested = {"new_email": new, "current_password": NEW}
        assert (await http.post(f"{API}/me/email/", json=requested, headers=headers)).status_code == 204
        await page.goto("about:blank")
        await page.goto(here(link_of(await mailboxes.wait_for(new, "Confirm")), url))
        await page.get_by_role("button", name="Confirm the address").click()
        await page.get_by_text("The address is confirmed.").wait_for()
        assert (await http.get(f"{API}/me/", headers=headers)).json()["email"] == new
    assert watched.complaints == []
    # No server received a token in the page's address, and no log has one, nor the links they are in.
    received = "".join(log.read_text(errors="replace") for log in place.processes.directory.glob("*.log"))
    assert "/api/v1/forgot-password-confirm" in received
    for letter in (*mailboxes.to(email), *mailboxes.to(new)):
        if "#" in text_of(letter):
            assert token_of(letter) not in received
    for secret in (email, new, PASSWORD, NEW):
        assert secret not in received
    assert {one.partition("?")[0] for one in watched.requests if "/account" in one} >= {f"{url}/account"}
    assert not [one for one in watched.requests if "token" in one or "?" in one]


@pytest.mark.parametrize(
    "fragment", ["", "#", "#activate", "#activate=", "#nonsense=abc", "#outcome=abc", "#__proto__=x", "#forgot"]
)
async def test_the_account_page_without_a_token_offers_a_new_password(
    browser: Browser, url: str, fragment: str
) -> None:
    async with watched_page(browser) as watched:
        page = watched.page
        await page.goto(f"{url}/account{fragment}")
        await page.get_by_role("heading", name="Forgot your password?").wait_for()
        incomplete = await page.get_by_text("This link is incomplete").count()
        assert incomplete == (0 if fragment in ("", "#", "#forgot") else 1)
        assert await page.get_by_role("button").all_inner_texts() == ["Send the link"]
    assert watched.complaints == []


async def test_a_forgotten_password_is_replaced_on_a_phone_from_the_page_alone(
    browser: Browser, url: str, http: httpx.AsyncClient, mailboxes: Mailboxes
) -> None:
    email = address()
    person = {"email": email, "password": PASSWORD, "first_name": "Ada", "last_name": "Lovelace"}
    assert (await http.post(f"{API}/users/", json=person)).status_code == 202
    token = token_of(await mailboxes.wait_for(email, "Activate"))
    assert (await http.post(f"{API}/activate/", json={"token": token})).status_code == 204
    async with watched_page(browser) as watched:
        page = watched.page
        await page.set_viewport_size({"width": 320, "height": 640})
        await page.goto(f"{url}/account")
        await page.get_by_role("textbox", name="E-mail address").fill(email)
        assert (await Axe().run(page)).response["violations"] == []
        assert await page.evaluate("document.documentElement.scrollWidth") == 320
        await page.get_by_role("button", name="Send the link").click()
        await page.get_by_text("a mail with the link is on its way").wait_for()
        link = here(link_of(await mailboxes.wait_for(email, "Choose a new password")), url)
        await page.goto(link)
        await page.get_by_label("New password").fill(NEW)
        await page.get_by_role("button", name="Set this password").click()
        # There is no front end: only its users know where they log in.
        await page.get_by_role("link", name="Log in to Chat").wait_for()
        assert (await Axe().run(page)).response["violations"] == []
        assert (await http.post(f"{API}/login/", json={"email": email, "password": NEW})).status_code == 200

        # The link again: it is spent, and the page leads to a new one.
        await page.goto("about:blank")
        await page.goto(link)
        await page.get_by_label("New password").fill(PASSWORD)
        await page.get_by_role("button", name="Set this password").click()
        await page.get_by_text("invalid or has expired").wait_for()
        watched.complaints.clear()  # that the server said 400
        assert await page.get_by_role("link", name="Log in to Chat").is_hidden()
        await page.get_by_role("link", name="Request a new link").click()
        await page.get_by_role("heading", name="Forgot your password?").wait_for()
    assert watched.complaints == []


async def test_an_activation_link_that_no_longer_works_leads_to_a_new_one(
    browser: Browser, url: str, http: httpx.AsyncClient, mailboxes: Mailboxes
) -> None:
    email = address()
    person = {"email": email, "password": PASSWORD, "first_name": "Ada", "last_name": "Lovelace"}
    assert (await http.post(f"{API}/users/", json=person)).status_code == 202
    await mailboxes.wait_for(email, "Activate")
    async with watched_page(browser) as watched:
        page = watched.page
        await page.goto(f"{url}/account#activate=spent-or-mistyped")
        await page.get_by_role("button", name="Activate the account").click()
        await page.get_by_role("link", name="Request a new link").click()
        watched.complaints.clear()  # that the server said 400
        await page.get_by_role("textbox", name="E-mail address").fill(email)
        assert (await Axe().run(page)).response["violations"] == []
        await page.get_by_role("button", name="Send a new link").click()
        await page.get_by_text("a mail with the link is on its way").wait_for()
        await page.goto(here(link_of(await mailboxes.wait_for(email, "Activate", number=2)), url))
        await page.get_by_role("button", name="Activate the account").click()
        await page.get_by_text("Your account is active.").wait_for()
    assert watched.complaints == []
    assert (await http.post(f"{API}/login/", json={"email": email, "password": PASSWORD})).status_code == 200


async def test_with_a_front_end_the_page_leads_back_to_it(browser: Browser, place: Place, mailboxes: Mailboxes) -> None:
    settings = {"REQUIRE_ACTIVATION": "true", "FRONTEND_URL": "https://example.org/talk", "APP_NAME": "R&D Talk"}
    [api] = place.processes.apis(settings)
    email = address()
    async with httpx.AsyncClient(base_url=api.url, trust_env=False, timeout=20) as http:
        person = {"email": email, "password": PASSWORD, "first_name": "Ada", "last_name": "Lovelace"}
        assert (await http.post(f"{API}/users/", json=person)).status_code == 202
    async with watched_page(browser) as watched:
        page = watched.page
        await page.goto(here(link_of(await mailboxes.wait_for(email, "Activate")), api.url))
        assert await page.title() == "Your account at R&D Talk"
        back = page.get_by_role("link", name="Back to R&D Talk")
        assert await back.get_attribute("href") == "https://example.org/talk"
        login = page.get_by_role("link", name="Log in to R&D Talk")
        assert await login.count() == 0
        await page.get_by_role("button", name="Activate the account").click()
        await login.wait_for()
        assert await login.get_attribute("href") == "https://example.org/talk/login"
        assert (await Axe().run(page)).response["violations"] == []
    assert watched.complaints == []


def test_the_page_comes_with_strict_headers(url: str) -> None:
    for path in ("/account", "/account/assets/account.js", "/account/assets/account.css"):
        answer = httpx.get(f"{url}{path}", timeout=10, trust_env=False)
        assert answer.status_code == 200, path
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "unsafe" not in answer.headers["content-security-policy"]
