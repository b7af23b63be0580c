"""Groups from the first to the last member, notifications, and announcements, with the page's own buttons."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, expect

from tests.support.chat_page import Window, window
from tests.support.client import Node
from tests.support.operators import root
from tests.support.processes import Api
from tests.support.site import Site

pytestmark = pytest.mark.browser


async def begin(opened: Window, what: str) -> None:
    await opened.page.get_by_role("button", name="New conversation").click()
    await opened.page.get_by_role("menuitem", name=what).click()


async def act_on(opened: Window, name: str, action: str) -> None:
    await opened.page.get_by_role("button", name=f"Actions for {name} Tester").click()
    await opened.page.get_by_role("menuitem", name=action).click()


async def test_a_group_from_its_creation_to_its_end(browser: Browser, api: Api, node: Node) -> None:
    ada, grace = await node.register("Ada"), await node.register("Grace")
    async with window(browser, api.url, ada) as left, window(browser, api.url, grace) as right:
        page = left.page
        await begin(left, "New group")
        await page.get_by_label("Name of the group").fill("Looms")
        await page.get_by_label("Add people").fill(grace.email)
        await page.get_by_role("button", name="Grace Tester").click()
        await page.get_by_role("button", name="Create").click()
        await expect(page.get_by_role("heading", name="Looms").first).to_be_visible()
        await right.row("Looms").click()
        await expect(right.page.get_by_text("You joined")).to_be_visible()

        await page.get_by_role("button", name="Details").click()
        details = page.get_by_role("complementary", name="Details")
        await act_on(left, "Grace", "Make admin")
        await expect(details.get_by_text("Admin", exact=True)).to_be_visible()
        await expect(right.page.get_by_text("Ada Tester made you an admin")).to_be_visible()
        await act_on(left, "Grace", "Remove the admin role")
        await expect(details.get_by_text("Admin", exact=True)).to_have_count(0)
        # A member has no actions of admins.
        await right.page.get_by_role("button", name="Details").click()
        await right.page.get_by_role("button", name="Actions for Ada Tester").click()
        await expect(right.page.get_by_role("menuitem")).to_have_text(["Write a direct message"])
        await right.page.keyboard.press("Escape")
        await expect(right.page.get_by_label("Name of the group")).to_have_count(0)

        await details.get_by_label("Name of the group").fill("Jacquard looms")
        await details.get_by_role("radio", name="Everyone").check()
        await details.get_by_role("button", name="Save").click()
        await expect(right.row("Jacquard looms")).to_be_visible()
        await act_on(left, "Grace", "Remove from the group")
        await page.get_by_role("dialog").get_by_role("button", name="Remove", exact=True).click()
        await expect(right.page.get_by_text("You were removed from this conversation.")).to_be_visible()
        await expect(right.row("Jacquard looms")).to_have_count(0)
        await expect(page.get_by_text("You removed Grace Tester")).to_be_visible()

        await begin(right, "Discover groups")
        await right.page.get_by_label("Search public groups").fill("jacquard")
        await right.page.get_by_role("button", name="Join Jacquard looms").click()
        await expect(right.row("Jacquard looms")).to_be_visible()
        await expect(page.get_by_text("Grace Tester joined")).to_be_visible()
        await right.page.get_by_role("button", name="Leave the group").click()
        await right.page.get_by_role("dialog").get_by_role("button", name="Leave the group").click()
        await expect(right.row("Jacquard looms")).to_have_count(0)
        await expect(page.get_by_text("Grace Tester left")).to_be_visible()
        await details.get_by_role("button", name="Delete the group").click()
        await page.get_by_role("dialog").get_by_role("button", name="Delete the group").click()
        await expect(left.row("Jacquard looms")).to_have_count(0)
        assert (await ada.get("/conversations/"))["items"] == []


async def test_a_direct_conversation_is_hidden_and_comes_back(browser: Browser, api: Api, node: Node) -> None:
    ada, grace = await node.register("Ada"), await node.register("Grace")
    async with window(browser, api.url, ada) as left:
        await begin(left, "Write to a person")
        await left.page.get_by_label("Find a person").fill(grace.email)
        await left.page.get_by_role("button", name="Grace Tester").click()
        await left.send("good morning")
        await left.sees("good morning")
        await left.page.get_by_role("button", name="Details").click()
        await left.page.get_by_role("button", name="Hide the conversation").click()
        await expect(left.row("Grace Tester")).to_have_count(0)
        [direct] = (await grace.get("/conversations/"))["items"]
        await grace.say(direct["id"], "good evening")
        await expect(left.row("Grace Tester").get_by_text("1 unread message")).to_have_count(1)


async def test_the_level_of_notifications_is_kept(browser: Browser, api: Api, node: Node) -> None:
    ada = await node.register("Ada")
    group = await ada.converse()
    async with window(browser, api.url, ada) as left:
        await left.open(group)
        await left.page.get_by_role("button", name="Details").click()
        await left.page.get_by_role("radio", name="If mentioned").check()
        await left.page.get_by_role("button", name="Mute").click()
        await left.page.get_by_role("menuitem", name="For a day").click()
        await expect(left.page.get_by_text("Muted until")).to_be_visible()
        kept = await ada.get(f"/conversations/{group}/notifications/")
        assert kept["level"] == "mentions"
        assert kept["muted_until"] is not None
        await left.page.get_by_role("button", name="Unmute").click()
        await expect(left.page.get_by_text("Muted until")).to_have_count(0)
        assert (await ada.get(f"/conversations/{group}/notifications/"))["muted_until"] is None


async def test_a_broadcast_stays_until_it_is_closed(browser: Browser, api: Api, node: Node, chat_site: Site) -> None:
    ada = await node.register("Ada")
    operator = await root(node, chat_site.database_url)
    async with window(browser, api.url, ada) as left:
        await operator.post("/ops/broadcasts/", title="Maintenance", text="At noon", to="everybody")
        banner = left.page.locator(".banner").filter(has_text="Maintenance")
        await expect(banner).to_be_visible(timeout=20_000)
        await left.page.reload()
        await expect(banner).to_be_visible()
        await banner.get_by_role("button", name="Close").click()
        await expect(banner).to_have_count(0)
        await left.page.reload()
        await left.page.get_by_role("searchbox").wait_for()
        await expect(banner).to_have_count(0)
