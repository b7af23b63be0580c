"""A long conversation: only what is in view exists, and scrolling loads the rest without a jump."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, expect

from tests.support.chat_page import window
from tests.support.client import Node
from tests.support.processes import Api
from tests.support.site import Site

pytestmark = pytest.mark.browser

MESSAGES = 10_000
MOST_NODES = 4_000
"""Elements of the whole page, whatever was loaded. About a hundred rows exist at a time."""

MOST_PAGES = MESSAGES // 200 + 5

UP = """async () => {
    const timeline = document.querySelector('.timeline');
    const first = () => Number(document.querySelector('.message[data-seq]')?.dataset.seq ?? 0);
    let most = 0, jumps = 0, slowest = 0, before = performance.now();
    const next = () => new Promise(done => requestAnimationFrame(done));
    const top = () => {
        const edge = timeline.getBoundingClientRect().top;
        const rows = [...document.querySelectorAll('.message[data-seq]')];
        const row = rows.find(one => one.getBoundingClientRect().bottom > edge);
        return {seq: Number(row?.dataset.seq ?? 0), at: row ? row.getBoundingClientRect().top - edge : 0};
    };
    let still = 0, last = -1;
    while (still < 120) {
        timeline.scrollTop -= 400;
        await next();
        const now = performance.now();
        slowest = Math.max(slowest, now - before);
        before = now;
        const seen = top();
        // Up is down in seq, always: a greater one would be a jump.
        if (last >= 0 && seen.seq > last + 1) jumps += 1;
        still = seen.seq === last && seen.seq <= 1 ? still + 1 : 0;
        last = seen.seq;
        most = Math.max(most, document.querySelectorAll('*').length);
        if (seen.seq === 1) break;
    }
    return {first: first(), most, jumps, slowest};
}"""


async def test_ten_thousand_messages_scroll_by_with_few_elements_and_requests(
    browser: Browser, api: Api, node: Node, chat_site: Site
) -> None:
    ada, grace = await node.register("Ada"), await node.register("Grace")
    group = await ada.converse(grace)
    chat_site.fill(group, [ada.id, grace.id], MESSAGES)
    async with window(browser, api.url, ada) as left:
        await left.open(group)
        await expect(left.page.locator(f".message[data-seq='{MESSAGES}']")).to_be_in_viewport()
        found = await left.page.evaluate(UP)
        assert found["first"] == 1
        assert found["jumps"] == 0
        assert found["most"] < MOST_NODES
        pages = [url for url in left.watched.requests if "/messages/" in url]
        assert len(pages) <= MOST_PAGES
        await expect(left.page.get_by_text("This is the beginning of Engines.")).to_be_visible()
        await left.page.get_by_role("button", name="To the newest message").click()
        await expect(left.page.locator(f".message[data-seq='{MESSAGES}']")).to_be_in_viewport()
        print("slowest frame, ms:", round(found["slowest"]))


async def test_the_view_stays_when_older_messages_and_new_ones_arrive(
    browser: Browser, api: Api, node: Node, chat_site: Site
) -> None:
    ada, grace = await node.register("Ada"), await node.register("Grace")
    group = await ada.converse(grace)
    chat_site.fill(group, [grace.id], 1_000)
    async with window(browser, api.url, ada) as left:
        await left.open(group)
        await expect(left.page.locator(".message[data-seq='1000']")).to_be_in_viewport()
        await left.page.locator(".timeline").evaluate("one => { one.scrollTop -= 1500 }")
        place = "seq => document.querySelector(`[data-seq='${seq}']`)?.getBoundingClientRect().top"
        seq = await left.page.evaluate(
            """() => [...document.querySelectorAll('.message[data-seq]')]
                .find(one => one.getBoundingClientRect().top > 200).dataset.seq"""
        )
        before = await left.page.evaluate(place, seq)
        for number in range(3):
            await grace.say(group, f"new {number}")
        await expect(left.page.get_by_role("button", name="To the newest message, 3 new")).to_be_visible()
        after = await left.page.evaluate(place, seq)
        assert abs(after - before) < 2
        row = left.row("Engines")
        await expect(row.get_by_text("3 unread messages")).to_have_count(1)
        await left.page.get_by_role("button", name="To the newest message, 3 new").click()
        await expect(left.message("new 2")).to_be_in_viewport()
        await expect(row.locator(".badge")).to_have_count(0)


async def test_a_switch_between_held_conversations_asks_for_no_messages(
    browser: Browser, api: Api, node: Node, chat_site: Site
) -> None:
    ada = await node.register("Ada")
    groups = [await ada.converse(), await ada.converse()]
    for group in groups:
        chat_site.fill(group, [ada.id], 300)
    async with window(browser, api.url, ada) as left:
        for group in groups:
            await left.open(group)
            await expect(left.page.locator(".message[data-seq='300']")).to_be_in_viewport()
        left.watched.requests.clear()
        took = await left.page.evaluate(
            """async id => {
                const before = performance.now();
                location.hash = `#/c/${id}`;
                const there = () => document.querySelector('.timeline .message[data-seq="300"]');
                const old = there();
                while (there() === old || !there()) await new Promise(done => requestAnimationFrame(done));
                return performance.now() - before;
            }""",
            groups[0],
        )
        await expect(left.page.locator(".message[data-seq='300']")).to_be_in_viewport()
        assert [url for url in left.watched.requests if "/messages/" in url] == []
        print("switch, ms:", round(took))
