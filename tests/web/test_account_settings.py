"""The settings of an account in a browser: names, password, second factor, logins, theme."""

from __future__ import annotations

import pyotp
import pytest
from playwright.async_api import Browser, expect

from tests.support.mailbox import Mailboxes, link_of
from tests.support.processes import Api
from tests.support.web import PASSWORD
from tests.support.web_pages import address, log_in, opened, registered

pytestmark = pytest.mark.browser


async def test_a_second_factor_is_set_up_used_and_turned_off(browser: Browser, api: Api) -> None:
    email = address()
    registered(api, email)
    async with opened(browser, api.url, "#/settings/security") as watched:
        page = watched.page
        await log_in(page, email)
        await page.get_by_role("button", name="Set up an authenticator app").click()
        enrolment = page.locator("section", has_text="Second factor")
        await enrolment.get_by_label("Current password").fill(PASSWORD)
        await enrolment.get_by_role("button", name="Continue").click()
        await expect(page.get_by_role("img", name="QR code for the authenticator app")).to_be_visible()
        totp = pyotp.TOTP(await enrolment.locator("code").inner_text())
        await enrolment.get_by_role("textbox", name="Code").fill("000000")
        await enrolment.get_by_role("button", name="Turn on").click()
        await expect(enrolment.get_by_role("textbox", name="Code")).to_have_accessible_description(
            "The six digits that the app shows now. This code is wrong."
        )
        await enrolment.get_by_role("textbox", name="Code").fill(totp.now())
        await enrolment.get_by_role("button", name="Turn on").click()
        await expect(enrolment.get_by_role("button", name="I have kept them")).to_be_visible()
        recovery = await enrolment.get_by_role("listitem").all_inner_texts()
        assert len(set(recovery)) == 10
        await enrolment.get_by_role("button", name="I have kept them").click()
        await expect(page.get_by_text("10 recovery codes are left")).to_be_visible()

        await page.get_by_role("button", name="Log out").click()
        await log_in(page, email)
        await expect(page.get_by_role("heading", name="Second factor")).to_be_visible()
        await page.get_by_role("textbox", name="Code").fill("not a code")
        await page.get_by_role("button", name="Log in").click()
        await expect(page.get_by_role("textbox", name="Code")).to_have_accessible_description(
            "From the authenticator app, or a recovery code. This code is wrong, or was used before."
        )
        await page.get_by_role("textbox", name="Code").fill(recovery[0])
        await page.get_by_role("button", name="Log in").click()
        await expect(page.get_by_text("9 recovery codes are left")).to_be_visible()

        await page.get_by_role("button", name="Turn off the second factor").click()
        dialog = page.get_by_role("dialog", name="Turn off the second factor")
        await dialog.get_by_label("Current password").fill(PASSWORD)
        await dialog.get_by_role("textbox", name="Code").fill(recovery[1])
        await dialog.get_by_role("button", name="Turn off", exact=True).click()
        await expect(page.get_by_role("button", name="Set up an authenticator app")).to_be_visible()


async def test_a_login_is_ended_from_another_one(browser: Browser, api: Api) -> None:
    email = address()
    registered(api, email)
    async with opened(browser, api.url, "#/settings/sessions") as first:
        await log_in(first.page, email)
        async with opened(browser, api.url, "#/settings/sessions") as second:
            await log_in(second.page, email)
            logins = second.page.get_by_role("list").get_by_role("listitem")
            await expect(logins).to_have_count(2)
            await expect(logins.first).to_contain_text("Chrome · Linux")
            await expect(logins.first).to_contain_text("This one")
            await logins.nth(1).get_by_role("button").click()
            await expect(logins).to_have_count(1)
        await expect(first.page.get_by_text("Your login has ended. Log in again to go on.")).to_be_visible()


async def test_a_new_password_and_a_new_address_are_confirmed(browser: Browser, api: Api, mailboxes: Mailboxes) -> None:
    email, new_email, new = address(), address(), "another one, and better"
    registered(api, email)
    async with opened(browser, api.url, "#/settings/security") as watched:
        page = watched.page
        await log_in(page, email)
        change = page.locator("section", has_text="A new password ends all other logins")
        await change.get_by_label("Current password").fill("not mine")
        await change.get_by_label("New password").fill(new)
        await change.get_by_role("button", name="Change the password").click()
        await expect(change.get_by_label("Current password")).to_have_accessible_description(
            "The current password is wrong."
        )
        await change.get_by_label("Current password").fill(PASSWORD)
        await change.get_by_role("button", name="Change the password").click()
        await expect(page.get_by_text("The password is changed.")).to_be_visible()
        await page.get_by_role("link", name="Profile").click()
        await page.get_by_label("New e-mail address").fill(new_email)
        await page.get_by_label("Current password").fill(new)
        await page.get_by_role("button", name="Change the address").click()
        await expect(page.get_by_text(f"A mail to {new_email} is on its way.")).to_be_visible()
        assert link_of(await mailboxes.wait_for(new_email, "Confirm"))


async def test_closing_the_account_needs_the_password_and_ends_the_login(browser: Browser, api: Api) -> None:
    email = address()
    registered(api, email)
    async with opened(browser, api.url, "#/settings/profile") as watched:
        page = watched.page
        await log_in(page, email)
        opener = page.get_by_role("button", name="Close the account …")
        await opener.click()
        dialog = page.get_by_role("dialog", name="Close your account?")
        await page.keyboard.press("Escape")
        await expect(dialog).to_have_count(0)
        await expect(opener).to_be_focused()
        await opener.click()
        await dialog.get_by_label("Current password").fill(PASSWORD)
        await dialog.get_by_role("button", name="Close the account").click()
        await expect(page.get_by_role("heading", name="Log in")).to_be_visible()
        await log_in(page, email)
        await expect(page.get_by_role("alert")).to_have_text("The e-mail address or password is wrong.")


async def test_a_chosen_theme_is_kept(browser: Browser, api: Api) -> None:
    email = address()
    registered(api, email)
    async with opened(browser, api.url, "#/settings/appearance", color_scheme="light") as watched:
        page = watched.page
        await log_in(page, email)
        light = await page.evaluate("getComputedStyle(document.body).backgroundColor")
        await page.get_by_label("Dark").check()
        dark = await page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert dark != light
        await page.reload()
        await expect(page.get_by_label("Dark")).to_be_checked()
        assert await page.evaluate("getComputedStyle(document.body).backgroundColor") == dark
        await page.get_by_label("As the system").check()
        assert await page.evaluate("getComputedStyle(document.body).backgroundColor") == light
