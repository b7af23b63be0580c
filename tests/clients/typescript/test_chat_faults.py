"""The TypeScript client under faults: its view ends as a fresh fetch, and what it sent is there once."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from tests.clients.conftest import Stage
from tests.clients.life import life, stored, two
from tests.clients.losses import Forgetful, Leaky, Left
from tests.clients.typescript.program import WITHIN, Program, watching
from tests.support.client import eventually
from tests.support.proxy import Proxy

pytestmark = pytest.mark.fault
TEXTS = [f"through {number}" for number in range(8)]


async def test_a_killed_server_loses_nothing(stage: Stage) -> None:
    ada, grace, engines = await two(stage)
    await life(ada, grace, engines)
    async with watching(stage.there.url, grace) as client:
        await client.call("load", engines)
        await client.assert_in_sync(grace)
        stage.there.kill()
        await client.comes_to("offline")
        for text in TEXTS:
            await client.say(engines, text)
        await life(ada, grace, engines)
        new = await ada.converse(grace)
        await asyncio.to_thread(stage.bring_back)
        await client.has_sent_all(engines)
        await client.assert_in_sync(grace)
        assert client.of("gap")
        assert new in await client.get("conversations")
        assert len(await client.call("messages", engines)) == 10 + len(TEXTS)
        client.assert_no_duplicates()
        sent = [text for text in await client.texts(engines) if text in TEXTS]
        assert sent == TEXTS, "in order"
    assert [(await stored(grace, engines))[text] for text in TEXTS] == [1] * len(TEXTS)


async def test_the_client_reconnects_to_a_restarted_server(stage: Stage) -> None:
    ada, grace, engines = await two(stage)
    async with watching(stage.there.url, grace) as client:
        for text in TEXTS:
            await client.say(engines, text)
        stage.there.signal(signal.SIGTERM)
        await client.comes_to("offline")
        await life(ada, grace, engines)
        await asyncio.to_thread(stage.there.process.wait, WITHIN)
        await asyncio.to_thread(stage.bring_back)
        await client.has_sent_all(engines)
        await client.assert_in_sync(grace)
        client.assert_no_duplicates()
    assert [(await stored(grace, engines))[text] for text in TEXTS] == [1] * len(TEXTS)


async def test_the_client_receives_and_sends_without_redis(stage: Stage) -> None:
    ada, grace, engines = await two(stage)
    async with watching(stage.there.url, grace) as client:
        stage.valkey.stop()
        try:
            await life(ada, grace, engines)
            await client.say(engines, "without")
            await client.has_sent_all(engines)
            await client.assert_in_sync(grace)
        finally:
            stage.valkey.start()
        await life(ada, grace, engines)
        await client.assert_in_sync(grace)
        client.assert_no_duplicates()
    assert (await stored(grace, engines))["without"] == 1


async def test_a_cut_socket_is_reopened_and_catches_up(stage: Stage) -> None:
    ada, grace, engines = await two(stage)
    proxy = Proxy(stage.there.url)
    proxy.start()
    try:
        async with watching(proxy.through, grace) as client:
            for cut in range(1, 4):
                await client.say(engines, f"through {cut}")
                proxy.refuse()
                await client.comes_to("offline", count=cut)
                await life(ada, grace, engines)
                proxy.resume()
                await client.comes_to("live", count=1 + cut)
            await client.has_sent_all(engines)
            await client.assert_in_sync(grace)
            client.assert_no_duplicates()
    finally:
        proxy.stop()
    said = await stored(grace, engines)
    assert [said[f"through {cut}"] for cut in range(1, 4)] == [1, 1, 1]


async def test_a_silent_connection_is_closed(stage: Stage) -> None:
    ada, grace, engines = await two(stage)
    proxy = Proxy(stage.there.url)
    proxy.start()
    try:
        async with Program.running() as program:
            await program.run("timing", to={"heartbeat": 1, "silence": 1, "answer": 1, "rest": 2})
            client = await program.open("chat", proxy.through)
            await client.log_in(grace)
            proxy.swallow()
            await client.say(engines, "into the silence")
            await eventually(lambda: proxy.swallowed > 0)
            await client.comes_to("offline")
            proxy.resume()
            await client.has_sent_all(engines)
            await client.assert_in_sync(grace)
    finally:
        proxy.stop()
    assert (await stored(ada, engines))["into the silence"] == 1


async def test_a_message_whose_answer_is_lost_is_stored_once(stage: Stage) -> None:
    ada, grace, engines = await two(stage)
    answers = Left(2)
    proxy = Proxy(stage.there.url, lambda: Forgetful(answers))
    proxy.start()
    try:
        async with watching(proxy.through, grace) as client:
            for number in range(3):
                await client.comes_to("live", count=1 + min(number, 2))
                await client.say(engines, f"answer me {number}")
                await client.has_sent_all(engines)
            assert answers.count == 0, "no answer was lost"
            await client.assert_in_sync(grace)
    finally:
        proxy.stop()
    assert await stored(ada, engines) == {f"answer me {number}": 1 for number in range(3)}


async def test_a_lost_event_is_a_gap_and_is_requested_again(stage: Stage) -> None:
    ada, grace, engines = await two(stage)
    lost = Left(2)
    proxy = Proxy(stage.there.url, lambda: Leaky(lost))
    proxy.start()
    try:
        async with watching(proxy.through, grace) as client:
            await ada.say(engines, "lost")
            await ada.say(engines, "lost too")
            await eventually(lambda: not lost.count)
            await ada.say(engines, "heard")
            await client.receives("message", count=3)
            assert client.of("gap") == [{"type": "gap", "conversation": engines, "position": 3}]
            assert [event["message"]["text"] for event in client.of("message")] == ["lost", "lost too", "heard"]
            await client.assert_in_sync(grace)
    finally:
        proxy.stop()


async def test_too_many_missed_changes_are_loaded_over_rest(stage: Stage) -> None:
    ada, grace, engines = await two(stage)
    await life(ada, grace, engines)
    async with watching(stage.there.url, grace, keep=60) as client:
        assert len(await client.call("load", engines)) == 5
        stage.there.kill()
        await client.comes_to("offline")
        for first in range(0, 1_100, 50):
            await asyncio.gather(*(ada.say(engines, f"{first + each}") for each in range(50)))
        await asyncio.to_thread(stage.bring_back)
        await client.receives("reset", conversation=engines)
        await client.comes_to("live", count=2)
        await life(ada, grace, engines)
        await client.assert_in_sync(grace)
        assert 5 <= len(await client.call("messages", engines)) <= 65
        before = len(await client.call("messages", engines))
        assert len(await client.call("load", engines, 100)) == 100
        assert len(await client.call("messages", engines)) == before + 100
        await client.assert_in_sync(grace)
        await client.call("trim", engines)
        assert len(await client.call("messages", engines)) == 60
        await client.assert_in_sync(grace)


async def test_what_a_killed_program_had_not_sent_is_sent_by_the_next_one(stage: Stage, tmp_path: Path) -> None:
    """As a page that is reloaded without a network."""
    ada, grace, engines = await two(stage)
    async with watching(stage.there.url, grace, tmp_path) as client:
        stage.there.kill()
        await client.comes_to("offline")
        for text in TEXTS:
            await client.say(engines, text)
        await ada.say(engines, "meanwhile")
    async with Program.running() as program:
        client = await program.open("chat", stage.there.url, tmp_path)
        assert await client.call("resumeLogin") is True
        assert (await client.get("user"))["id"] == grace.id
        await client.comes_to("offline")
        assert [text for text, _ in await client.pending(engines)] == TEXTS
        await client.say(engines, "after it")
        await asyncio.to_thread(stage.bring_back)
        await client.comes_to("live")
        await client.has_sent_all(engines)
        await client.assert_in_sync(grace)
    async with Program.running() as program:
        client = await program.open("chat", stage.there.url, tmp_path)
        await client.call("resumeLogin")
        assert await client.pending(engines) == []
    assert [message["text"] for message in await ada.history(engines)] == ["meanwhile", *TEXTS, "after it"]


async def test_the_client_follows_what_the_browser_says_of_the_network(stage: Stage) -> None:
    ada, grace, engines = await two(stage)
    async with Program.running() as program:
        await program.run("timing", to={"firstReconnect": 3600, "longestReconnect": 3600})
        client = await program.open("chat", stage.there.url)
        await client.log_in(grace)
        await program.run("network", name="offline")
        await client.comes_to("offline")
        await ada.say(engines, "meanwhile")
        await program.run("network", name="online")
        await client.comes_to("live", count=2)
        assert await client.texts(engines) == ["meanwhile"]
        await client.assert_in_sync(grace)
