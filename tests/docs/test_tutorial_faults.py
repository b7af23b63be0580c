"""examples/chat.html under faults: it loses no text and no login, and has one socket and one `resume` at a time."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from playwright.async_api import Dialog, Page, Route, WebSocketRoute, expect

from tests.docs.tutorial_page import Started, newest, say, window
from tests.support.browser import chromium
from tests.support.client import eventually

ALLOWED = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "Retry-After"}


class Sockets:
    """The page's sockets in order, what it sent through each, and whether its frames still reach the server."""

    def __init__(self) -> None:
        self.opened: list[WebSocketRoute] = []
        self.sent: list[dict[str, Any]] = []
        self.silent = False

    async def watch(self, page: Page) -> None:
        await page.clock.install()
        await page.route_web_socket(re.compile("/ws/conversations"), self._opened)

    def _opened(self, socket: WebSocketRoute) -> None:
        self.opened.append(socket)
        server = socket.connect_to_server()

        def pass_on(text: str | bytes) -> None:
            self.sent.append(json.loads(text))
            if not self.silent:
                server.send(text)

        socket.on_message(pass_on)

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [frame for frame in self.sent if frame["type"] == kind]

    async def say(self, **frame: object) -> None:
        """The newest socket receives this frame."""
        self.opened[-1].send(json.dumps(frame))


@asynccontextmanager
async def watched(standing: Started) -> AsyncIterator[tuple[Page, Sockets]]:
    """Ada's window, and its sockets."""
    sockets = Sockets()
    async with chromium() as browser, window(browser, standing[2], "ada@example.org", sockets.watch) as page:
        yield page, sockets


async def fulfil(route: Route, status: int, **headers: str) -> None:
    body = json.dumps({"status": status, "code": "of the test", "detail": f"Refused with {status}."})
    await route.fulfill(
        status=status, headers={**ALLOWED, **headers}, body=body, content_type="application/problem+json"
    )


async def test_a_refresh_that_fails_is_repeated_until_it_succeeds(standing: Started) -> None:
    refreshes: list[str] = []

    async def refresh(route: Route) -> None:
        refreshes.append(str(route.request.post_data))
        if len(refreshes) == 1:
            await route.abort()
        elif len(refreshes) == 2:
            await fulfil(route, 429, **{"Retry-After": "1"})
        else:
            await route.continue_()

    async with watched(standing) as (page, sockets):
        await page.route("**/api/v1/refresh/", refresh)
        await sockets.opened[-1].close(code=4401)
        await eventually(lambda: len(sockets.opened) == 2, 30)
        await expect(page.locator("#state")).to_have_text("live")
        await say(page, "With another token.")
        await expect(page.locator("#messages li").last).to_have_text("Ada: With another token.")
    assert len(refreshes) == 3
    assert len(set(refreshes)) == 1


async def test_a_refused_refresh_asks_for_a_login_and_a_login_goes_on(standing: Started) -> None:
    async with watched(standing) as (page, sockets):
        await page.route("**/api/v1/refresh/", lambda route: fulfil(route, 401))
        await sockets.opened[-1].close(code=4401)
        await expect(page.locator("#state")).to_have_text("log in again: Refused with 401.")
        await page.clock.run_for(30_000)
        assert len(sockets.opened) == 1
        await page.get_by_role("button", name="Log in").click()
        await expect(page.locator("#state")).to_have_text("live")


async def test_a_throttled_or_uncertain_message_is_repeated_with_its_client_id(standing: Started) -> None:
    sent: list[str] = []

    async def store(route: Route) -> None:
        if route.request.method != "POST":
            await route.continue_()
            return
        sent.append(json.loads(str(route.request.post_data))["client_id"])
        if len(sent) == 1:
            await fulfil(route, 429, **{"Retry-After": "1"})
        elif len(sent) == 2:
            await route.fetch()  # stored, and its answer lost
            await fulfil(route, 503)
        else:
            await route.continue_()

    async with watched(standing) as (page, _):
        lines = await page.locator("#messages li").count()
        await page.route(re.compile("/messages/"), store)
        await say(page, "Once.")
        await eventually(lambda: len(sent) == 3, 30)
        await expect(page.locator("#messages li")).to_have_count(lines + 1)
        assert await newest(page, 1) == ["Ada: Once."]
    assert len(set(sent)) == 1


async def test_the_text_of_a_refused_message_goes_back_into_its_field(standing: Started) -> None:
    async with watched(standing) as (page, _):
        await page.route(re.compile("/messages/"), lambda route: fulfil(route, 400))
        shown: list[str] = []

        async def dismiss(dialog: Dialog) -> None:
            shown.append(dialog.message)
            await dialog.dismiss()

        page.on("dialog", dismiss)
        await say(page, "Not like this.")
        await expect(page.get_by_placeholder("Message")).to_have_value("Not like this.")
    assert shown == ["Refused with 400."]


async def test_going_offline_and_online_at_once_leaves_one_socket(standing: Started) -> None:
    async with watched(standing) as (page, sockets):
        await page.evaluate("() => { const box = document.getElementById('online'); box.click(); box.click(); }")
        await eventually(lambda: len(sockets.opened) == 2, 30)
        await expect(page.locator("#state")).to_have_text("live")
        await page.clock.run_for(15_000)
        assert len(sockets.opened) == 2


async def test_a_pending_retry_respects_the_box(standing: Started) -> None:
    async with watched(standing) as (page, sockets):
        await page.clock.pause_at(await page.evaluate("Date.now() + 1000"))
        await sockets.opened[-1].close(code=1012)
        await expect(page.locator("#state")).to_have_text("closed (1012)")
        await page.get_by_label("online").uncheck()
        await page.clock.run_for(15_000)
        assert len(sockets.opened) == 1
        await page.get_by_label("online").check()
        await expect(page.locator("#state")).to_have_text("live")
        await page.clock.run_for(15_000)
        assert len(sockets.opened) == 2


async def test_a_burst_behind_a_gap_sends_one_resume(standing: Started) -> None:
    async with watched(standing) as (page, sockets):
        room = await page.evaluate("shown.id")
        for position in range(9_001, 9_021):
            await sockets.say(type="message.updated", conversation=room, position=position, prev=position - 1, data={})
        await eventually(lambda: len(sockets.of("resume")) == 1, 30)
        await expect(page.locator("#state")).to_have_text("live")
        await say(page, "Still here.")
        await expect(page.locator("#messages li").last).to_have_text("Ada: Still here.")
        assert len(sockets.of("resume")) == 1


async def test_events_during_a_reset_do_not_load_again(standing: Started) -> None:
    loads: list[Route] = []

    async with watched(standing) as (page, sockets):
        room, lines = await page.evaluate("shown.id"), await page.locator("#messages li").count()
        await page.route(re.compile("/messages/"), lambda route: loads.append(route))
        await sockets.say(type="reset", ref=None, conversation=room)
        for position in range(9_001, 9_021):
            await sockets.say(type="message.updated", conversation=room, position=position, prev=position - 1, data={})
        await sockets.say(type="caught_up", ref=None, positions={room: 9_020})
        await eventually(lambda: len(loads) == 1, 30)
        assert sockets.of("resume") == []
        await loads[0].continue_()
        await eventually(lambda: len(sockets.of("resume")) == 1, 30)
        await expect(page.locator("#messages li")).to_have_count(lines)
        assert len(loads) == 1


async def test_a_silent_socket_is_replaced(standing: Started) -> None:
    async with watched(standing) as (page, sockets):
        await page.clock.run_for(20_000)
        await eventually(lambda: len(sockets.of("ping")) == 1, 30)
        await expect(page.locator("#state")).to_have_text("live")
        await eventually(lambda: page.evaluate("answered"), 30)
        sockets.silent = True
        await page.clock.run_for(20_000)
        assert len(sockets.opened) == 1
        sockets.silent = False
        await page.clock.run_for(21_000)
        await eventually(lambda: len(sockets.opened) == 2, 30)
        await expect(page.locator("#state")).to_have_text("live")


async def test_an_edit_before_the_loaded_messages_is_not_shown(standing: Started) -> None:
    async with watched(standing) as (page, sockets):
        lines = await page.locator("#messages li").count()
        await page.evaluate("shown.from = 2")
        mine = await page.evaluate("({ id: shown.id, position: shown.position, first: shown.messages.get(1) })")
        position = mine["position"] + 1
        data = {**mine["first"], "text": "Edited.", "position": position}
        await sockets.say(
            type="message.updated", conversation=mine["id"], position=position, prev=position - 1, data=data
        )
        await expect(page.locator("#messages li")).to_have_count(lines - 1)


async def test_a_page_that_is_behind_is_loaded_again(standing: Started) -> None:
    answers: list[int] = []

    async def stale(route: Route) -> None:
        answer = await route.fetch()
        page = await answer.json()
        answers.append(page["position"])
        if len(answers) == 1:
            page = {**page, "position": page["position"] - 1, "items": page["items"][:-1]}
        await route.fulfill(response=answer, json=page)

    async with watched(standing) as (page, _):
        lines = await page.locator("#messages li").count()
        await page.evaluate("shown.messages.clear(); show()")
        await page.route(re.compile("/messages/"), stale)
        await page.get_by_role("button", name="Engine room").click()
        await expect(page.locator("#messages li")).to_have_count(lines)
    assert len(answers) == 2
