"""The reference client under faults: its view ends as a fresh fetch, and what it sent is there once."""

from __future__ import annotations

import asyncio
import signal

import pytest
from chat_client import events

from tests.clients.conftest import Stage
from tests.clients.life import life, stored, two
from tests.clients.losses import Forgetful, Leaky, Left
from tests.clients.python.watcher import WITHIN, watching
from tests.support.client import eventually
from tests.support.proxy import Proxy

pytestmark = pytest.mark.fault
SENDS = 8


async def test_a_killed_server_loses_nothing(stage: Stage) -> None:
    ada, grace, engines = await two(stage)
    await life(ada, grace, engines)
    async with watching(stage.there.url, grace) as watcher:
        await watcher.chat.load(engines)
        await watcher.assert_in_sync()
        stage.there.kill()
        await watcher.receives(events.Disconnected)
        sends = [asyncio.create_task(watcher.chat.send(engines, text=f"through {n}", within=60)) for n in range(SENDS)]
        await life(ada, grace, engines)
        new = await ada.converse(grace)
        await asyncio.to_thread(stage.bring_back)
        messages = await asyncio.gather(*sends)
        await watcher.assert_in_sync()
        assert watcher.of(events.GapFound)
        assert new in watcher.chat.conversations
        assert len(watcher.chat.messages(engines)) == 10 + SENDS
        watcher.assert_no_duplicates()
    said = await stored(grace, engines)
    assert [said[message.text] for message in messages] == [1] * SENDS


async def test_the_client_reconnects_to_a_restarted_server(stage: Stage) -> None:
    ada, grace, engines = await two(stage)
    async with watching(stage.there.url, grace) as watcher:
        sends = [asyncio.create_task(watcher.chat.send(engines, text=f"through {n}", within=60)) for n in range(SENDS)]
        stage.there.signal(signal.SIGTERM)
        await watcher.receives(events.Disconnected)
        assert watcher.of(events.Disconnected)[0].code == 1012
        assert watcher.of(events.Disconnected)[0].pause <= 0.5, "at once"
        await life(ada, grace, engines)
        await asyncio.to_thread(stage.there.process.wait, WITHIN)
        await asyncio.to_thread(stage.bring_back)
        messages = await asyncio.gather(*sends)
        await watcher.assert_in_sync()
        watcher.assert_no_duplicates()
    said = await stored(grace, engines)
    assert [said[message.text] for message in messages] == [1] * SENDS


async def test_the_client_receives_and_sends_without_redis(stage: Stage) -> None:
    ada, grace, engines = await two(stage)
    async with watching(stage.there.url, grace) as watcher:
        stage.valkey.stop()
        try:
            await life(ada, grace, engines)
            sent = await watcher.chat.send(engines, text="without", within=60)
            await watcher.assert_in_sync()
        finally:
            stage.valkey.start()
        await life(ada, grace, engines)
        await watcher.assert_in_sync()
        watcher.assert_no_duplicates()
    assert (await stored(grace, engines))[sent.text] == 1


async def test_a_cut_socket_is_reopened_and_catches_up(stage: Stage) -> None:
    ada, grace, engines = await two(stage)
    proxy = Proxy(stage.there.url)
    proxy.start()
    try:
        async with watching(proxy.through, grace) as watcher:
            for cut in range(1, 4):
                send = asyncio.create_task(watcher.chat.send(engines, text=f"through {cut}", within=60))
                proxy.refuse()
                await watcher.receives(events.Disconnected, count=cut)
                await life(ada, grace, engines)
                proxy.resume()
                await send
                await watcher.receives(events.Connected, count=1 + cut)
            await watcher.assert_in_sync()
            watcher.assert_no_duplicates()
            said = await stored(grace, engines)
            assert [said[f"through {cut}"] for cut in range(1, 4)] == [1, 1, 1]
    finally:
        proxy.stop()


async def test_a_silent_connection_is_closed(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chat_client.link.PING_SECONDS", 1.0)
    ada, grace, engines = await two(stage)
    proxy = Proxy(stage.there.url)
    proxy.start()
    try:
        async with watching(proxy.through, grace, seconds=2.0) as watcher:
            proxy.swallow()
            send = asyncio.create_task(watcher.chat.send(engines, text="into the silence", within=60))
            await eventually(lambda: proxy.swallowed > 0)
            await watcher.receives(events.Disconnected)
            proxy.resume()
            await send
            await watcher.assert_in_sync()
    finally:
        proxy.stop()
    assert (await stored(ada, engines))["into the silence"] == 1


async def test_a_message_whose_answer_is_lost_is_stored_once(stage: Stage) -> None:
    ada, grace, engines = await two(stage)
    answers = Left(2)
    proxy = Proxy(stage.there.url, lambda: Forgetful(answers))
    proxy.start()
    try:
        async with watching(proxy.through, grace) as watcher:
            for number in range(3):
                await watcher.receives(events.Connected, count=1 + min(number, 2))
                await eventually(lambda: watcher.chat.is_connected)
                sent = await watcher.chat.send(engines, text=f"answer me {number}", within=60)
                assert sent.seq == number + 1
            assert answers.count == 0, "no answer was lost"
            await watcher.assert_in_sync()
    finally:
        proxy.stop()
    assert await stored(ada, engines) == {f"answer me {number}": 1 for number in range(3)}


async def test_a_lost_event_is_a_gap_and_is_requested_again(stage: Stage) -> None:
    ada, grace, engines = await two(stage)
    lost = Left(2)
    proxy = Proxy(stage.there.url, lambda: Leaky(lost))
    proxy.start()
    try:
        async with watching(proxy.through, grace) as watcher:
            await ada.say(engines, "lost")
            await ada.say(engines, "lost too")
            await eventually(lambda: not lost.count)
            await ada.say(engines, "heard")
            await watcher.receives(events.MessageChanged, count=3)
            assert watcher.of(events.GapFound) == [events.GapFound(engines, 3)]
            assert [event.message.text for event in watcher.of(events.MessageChanged)] == ["lost", "lost too", "heard"]
            await watcher.assert_in_sync()
    finally:
        proxy.stop()


async def test_too_many_missed_changes_are_loaded_over_rest(stage: Stage) -> None:
    ada, grace, engines = await two(stage)
    await life(ada, grace, engines)
    async with watching(stage.there.url, grace, keep=60) as watcher:
        assert len(await watcher.chat.load(engines)) == 5
        stage.there.kill()
        await watcher.receives(events.Disconnected)
        for first in range(0, 1_100, 50):
            await asyncio.gather(*(ada.say(engines, f"{first + each}") for each in range(50)))
        await asyncio.to_thread(stage.bring_back)
        await watcher.receives(events.Reset)
        await life(ada, grace, engines)
        await watcher.assert_in_sync()
        assert 5 <= len(watcher.chat.messages(engines)) <= 60
        await watcher.chat.load(engines, 100)
        assert len(watcher.chat.messages(engines)) == 60, "no more than it may keep"
        await watcher.assert_in_sync()
