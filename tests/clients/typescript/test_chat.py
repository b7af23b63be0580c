"""The TypeScript client without faults: its view, what it sends, throttles, and access to conversations."""

from __future__ import annotations

import asyncio
import re
import time

import httpx
import pytest

from tests.clients.conftest import Stage
from tests.clients.life import life, two
from tests.clients.losses import Closing, Left, Stale
from tests.clients.typescript.program import WITHIN, Failed, Program, watching
from tests.support.client import eventually
from tests.support.proxy import Proxy

FOREIGN = b"\x88\x02\x11\x33"
"""A close frame with the code 4403."""


async def test_the_view_equals_the_servers_state(stage: Stage) -> None:
    ada, grace, engines = await two(stage)
    async with watching(stage.there.url, grace) as client:
        await life(ada, grace, engines)
        await client.call("send", engines, {"text": "hello", "reply_to": 1})
        await client.call("send", engines, {"message_type": "image", "media_url": "https://example.org/moth.jpg"})
        await client.has_sent_all(engines)
        messages = await client.call("messages", engines)
        assert [message["seq"] for message in messages] == list(range(1, 8))
        hello, image = messages[-2:]
        assert (hello["text"], hello["reply_to"], hello["sent_by"]["id"]) == ("hello", 1, grace.id)
        assert (image["message_type"], image["media_url"]) == ("image", "https://example.org/moth.jpg")
        await client.assert_in_sync(grace)
        assert (await client.get("conversations"))[engines]["unread"] == 0
        for kind in ("gap", "reset", "unknown", "conversation_added"):
            assert len(client.of(kind)) == (kind == "conversation_added"), kind
        assert [event["state"] for event in client.of("state")] == ["connecting", "catching_up", "live"]
        client.assert_no_duplicates()


async def test_a_read_mark_reaches_the_server_and_the_users_other_devices(stage: Stage) -> None:
    ada, grace, engines = await two(stage)
    for number in range(3):
        (await ada.say(engines, f"{number}")).good(201)
    async with Program.running() as program:
        phone, laptop = [await program.open(name, stage.there.url) for name in ("phone", "laptop")]
        for client in (phone, laptop):
            await client.log_in(grace)
            assert (await client.get("conversations"))[engines]["unread"] == 3
        await phone.call("read", engines, 2)
        assert (await phone.get("conversations"))[engines]["unread"] == 1, "at once"
        await laptop.receives("read", conversation=engines, user=grace.id, seq=2)
        await phone.call("read", engines, 1)
        await phone.call("read", engines, 99)
        await laptop.receives("read", conversation=engines, user=grace.id, seq=3)
        for client in (phone, laptop):
            await client.assert_in_sync(grace)
    assert (await grace.get(f"/conversations/{engines}/"))["read_seq"] == 3


async def test_a_read_mark_set_without_a_socket_arrives_later(stage: Stage) -> None:
    ada, grace, engines = await two(stage)
    (await ada.say(engines, "one")).good(201)
    proxy = Proxy(stage.there.url)
    proxy.start()
    try:
        async with watching(proxy.through, grace) as client:
            proxy.refuse()
            await client.comes_to("offline")
            await client.call("read", engines, 1)
            assert (await grace.get(f"/conversations/{engines}/"))["read_seq"] == 0
            proxy.resume()

            async def is_read() -> bool:
                return bool((await grace.get(f"/conversations/{engines}/"))["read_seq"] == 1)

            await eventually(is_read, WITHIN)
    finally:
        proxy.stop()


async def test_typing_and_presence(stage: Stage) -> None:
    ada, grace, engines = await two(stage)
    async with Program.running() as program:
        here, there = [await program.open(name, stage.there.url) for name in ("ada", "grace")]
        await here.log_in(ada)
        await there.log_in(grace)

        async def both_are_there() -> bool:
            return set(await there.call("presence", engines) or ()) == {ada.id, grace.id}

        await eventually(both_are_there, WITHIN)  # a process that has just started does not know it yet
        for _ in range(5):
            await there.call("typing", engines)
        await here.receives("typing", conversation=engines, user=grace.id)
        await there.say(engines, "typed")
        await there.has_sent_all(engines)
        await there.call("typing", engines)
        await here.receives("typing", count=2)
        assert len(here.of("typing")) == 2, "the repeats are left out, until a message was sent"
        with pytest.raises(Failed) as failed:
            await there.call("presence", grace.id)
        assert failed.value.error["code"] == "not_found"


async def test_a_client_that_leaves_closes_its_socket_with_1000(stage: Stage) -> None:
    grace = await stage.here.register("Grace")

    async def closed() -> dict[str, float]:
        async with httpx.AsyncClient() as http:
            text = (await http.get(f"{stage.there.url}/metrics")).text
        return {code: float(n) for code, n in re.findall(r'chat_sockets_closed_total\{code="(\w+)"\} (\S+)', text)}

    before = await closed()
    async with watching(stage.there.url, grace) as client:
        await client.call("close")
        assert await client.get("state") == "offline"
        deadline = time.monotonic() + WITHIN
        while (after := await closed()) == before:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)
        assert {code: n - before.get(code, 0) for code, n in after.items() if n != before.get(code, 0)} == {"1000": 1}
        assert await client.call("resumeLogin") is True
        await client.comes_to("live", count=2)


async def test_all_conversations_beyond_the_hello_arrive(stage: Stage) -> None:
    grace = await stage.here.register("Grace")
    for number in range(55):
        await grace.post("/conversations/", name=f"Number {number}", is_private=True)
    async with watching(stage.there.url, grace) as client:
        await client.assert_in_sync(grace)
        assert len(await client.get("conversations")) == 55


async def test_older_messages_are_loaded_up_to_the_start(stage: Stage) -> None:
    ada, grace, engines = await two(stage)
    for number in range(1, 8):
        (await ada.say(engines, f"{number}")).good(201)
    async with watching(stage.there.url, grace) as client:
        assert await client.call("messages", engines) == []
        pages = []
        while await client.call("hasOlder", engines):
            one, same = await asyncio.gather(*(client.call("load", engines, 3) for _ in range(2)))
            assert one == same, "two loads at the same time are one"
            pages.append([message["text"] for message in one])
        assert pages == [["5", "6", "7"], ["2", "3", "4"], ["1"]]
        assert await client.call("load", engines, 3) == []
        await client.assert_in_sync(grace)


async def test_a_page_older_than_the_received_events_is_loaded_again(stage: Stage) -> None:
    ada, grace, engines = await two(stage)
    (await ada.say(engines, "before")).good(201)
    left, paths = Left(1), list[bytes]()
    proxy = Proxy(stage.there.url, lambda: Stale(left, paths))
    proxy.start()
    try:
        async with watching(proxy.through, grace) as client:
            (await ada.say(engines, "one")).good(201)
            await client.receives("message")
            assert [message["text"] for message in await client.call("load", engines)] == ["before"]
            assert await client.texts(engines) == ["before", "one"]
    finally:
        proxy.stop()
    assert len([path for path in paths if b"/messages/" in path]) == 2


async def test_a_client_that_the_server_refuses_for_good_gives_up(stage: Stage) -> None:
    grace = await stage.here.register("Grace")
    paths = list[bytes]()
    proxy = Proxy(stage.there.url, lambda: Closing(FOREIGN, paths))
    proxy.start()
    try:
        async with Program.running() as program:
            await program.run("timing", to={"firstReconnect": 0.01, "longestReconnect": 0.01})
            client = await program.open("chat", proxy.through)
            await client.call("logIn", {"email": grace.email, "password": "correct horse battery staple"})
            await client.receives("refused")
            assert await client.get("state") == "offline"
            assert await client.call("request", "GET", "/me/"), "the login lasts"
    finally:
        proxy.stop()
    assert len([path for path in paths if path.startswith(b"/ws/")]) == 1


async def test_any_other_route_is_a_request(stage: Stage) -> None:
    _, grace, engines = await two(stage)
    async with watching(stage.there.url, grace) as client:
        page = await client.call("request", "GET", "/conversations/", {"query": {"limit": 1, "search": "Engi"}})
        assert [row["id"] for row in page["items"]] == [engines]
        group = await client.call("request", "POST", "/conversations/", {"body": {"name": "Moths", "is_private": True}})
        await client.receives("conversation_added", count=2)
        assert (await client.get("conversations"))[group["id"]]["name"] == "Moths"
        with pytest.raises(Failed) as failed:
            await client.call("request", "POST", "/conversations/", {"body": {"colour": "blue", "name": "x"}})
        error = failed.value.error
        assert (error["name"], error["code"], error["status"]) == ("Refused", "invalid", 400)
        assert error["errors"][0]["field"] == "colour"
        renamed = await client.call("request", "PATCH", "/me/", {"body": {"first_name": "Grace Brewster"}})
        await client.receives("user")
        assert (await client.get("user"))["first_name"] == renamed["first_name"] == "Grace Brewster"
