"""Registration in the browser where it is not open: the page of an invite's link, and the page without one."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec
import pytest
from playwright.async_api import Browser, Page, expect

from app.db import Database, open_engine
from tests.support.browser import Watched
from tests.support.invites import make_invite, revoke, uses_of
from tests.support.places import Place
from tests.support.processes import Api
from tests.support.web import PASSWORD
from tests.support.web_pages import address, opened, settled

pytestmark = pytest.mark.browser


class Chats(msgspec.Struct, frozen=True):
    by_invite: Api
    closed: Api


@pytest.fixture(scope="module")
def chats(place: Place) -> Chats:
    return Chats(*place.processes.apis({"REGISTRATION": "invite"}, {"REGISTRATION": "closed"}))


@pytest.fixture
async def database(place: Place) -> AsyncIterator[Database]:
    opened_database = Database(open_engine(place.settings.libpq_url, pool_size=1))
    yield opened_database
    await opened_database.close()


async def fill(page: Page, email: str) -> None:
    await page.get_by_label("First name").fill("Grace")
    await page.get_by_label("Last name").fill("Hopper")
    await page.get_by_label("E-mail address").fill(email)
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_role("button", name="Create the account").click()


def sent(watched: Watched, token: str) -> list[str]:
    return [url for url in watched.requests if token in url.partition("#")[0]]


async def test_a_guest_registers_by_the_link_of_an_invite(browser: Browser, chats: Chats, database: Database) -> None:
    invite = await make_invite(database, note="For the <b>reading</b> club")
    async with opened(browser, chats.by_invite.url, f"#/invite/{invite.token}") as watched:
        page = watched.page
        await expect(page.get_by_role("heading", name="You are invited")).to_be_visible()
        await expect(page.get_by_text("For the <b>reading</b> club", exact=True)).to_be_visible()
        await fill(page, address())
        await settled(page)
        assert invite.token not in page.url
        assert sent(watched, invite.token) == []
    assert await uses_of(database, invite) == 1


async def test_a_link_that_is_used_up_or_revoked_meanwhile_says_so(
    browser: Browser, chats: Chats, database: Database
) -> None:
    invite = await make_invite(database)
    async with opened(browser, chats.by_invite.url, f"#/invite/{invite.token}") as watched:
        page = watched.page
        await expect(page.get_by_label("First name")).to_be_visible()
        await revoke(database, invite)
        await fill(page, address())
        await expect(page.get_by_role("alert")).to_have_text(
            "This invite is not valid or no longer valid. Ask for another link."
        )
        await page.reload()
        await expect(
            page.get_by_text("This invite is invalid, used up or expired. Ask for a new link.")
        ).to_be_visible()
        await expect(page.get_by_label("First name")).to_have_count(0)


@pytest.mark.parametrize(
    ("mode", "sentence"),
    [
        ("by_invite", "Accounts are created by invite only. Ask an operator of this chat for a link."),
        ("closed", "No accounts are created here at present."),
    ],
)
async def test_the_page_of_registration_says_who_may_register(
    browser: Browser, chats: Chats, mode: str, sentence: str
) -> None:
    api: Api = getattr(chats, mode)
    async with opened(browser, api.url, "#/register") as watched:
        await expect(watched.page.get_by_text(sentence)).to_be_visible()
        await expect(watched.page.get_by_label("First name")).to_have_count(0)
