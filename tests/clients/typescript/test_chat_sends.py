"""What the TypeScript client sends: pending until it is stored, refused with a reason, throttled, edited, deleted."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.clients.conftest import Stage
from tests.clients.life import life, stored, two
from tests.clients.typescript.program import WITHIN, Failed, watching
from tests.support.client import eventually


async def test_a_message_is_pending_until_it_is_in_the_conversation(stage: Stage) -> None:
    """Whenever an event arrives, each message sent so far is in exactly one of both lists."""
    _, grace, engines = await two(stage)
    async with watching(stage.there.url, grace) as client:
        await client.watch(engines)
        sent = [(await client.say(engines, f"{number}"))["client_id"] for number in range(20)]
        await client.has_sent_all(engines)
        assert await client.texts(engines) == [f"{number}" for number in range(20)]
        assert len(client.shown) > 60
        assert [shown for shown in client.shown if shown != sent[: len(shown)]] == [], "in order, each once"
        assert [len(shown) for shown in client.shown] == sorted(len(shown) for shown in client.shown), "none disappears"


async def test_messages_are_edited_and_deleted(stage: Stage) -> None:
    ada, grace, engines = await two(stage)
    async with watching(stage.there.url, grace) as client:
        for text in ("one", "two"):
            await client.say(engines, text)
        await client.has_sent_all(engines)
        one, two_ = await client.call("messages", engines)
        assert (await client.call("edit", one, {"text": "one, edited"}))["text"] == "one, edited"
        await client.call("delete", two_)
        await client.receives("message", what="deleted")
        assert await client.texts(engines) == ["one, edited", ""]
        (theirs,) = [(await ada.say(engines, "mine")).good(201)]
        with pytest.raises(Failed) as failed:
            await client.call("edit", theirs, {"text": "hers"})
        assert (failed.value.error["name"], failed.value.error["code"]) == ("Refused", "not_the_sender")
        await client.assert_in_sync(grace)


async def test_a_removed_conversation_disappears_and_a_restored_one_returns(stage: Stage) -> None:
    ada, grace, engines = await two(stage)
    async with watching(stage.there.url, grace) as client:
        await ada.post(f"/conversations/{engines}/remove_member/", user=grace.id)
        await client.receives("conversation_removed")
        removed = {"type": "conversation_removed", "conversation": engines, "reason": "removed"}
        assert client.of("conversation_removed") == [removed]
        assert await client.get("conversations") == {}
        lost = await client.say(engines, "still here?")
        await client.receives("pending", count=2)
        await eventually(is_refused(client, engines), WITHIN)
        (refused,) = await client.call("pending", engines)
        assert refused["error"]["code"] == "not_found"
        (await ada.say(engines, "among ourselves")).good(201)
        await ada.post(f"/conversations/{engines}/add_member/", user=grace.id)
        await client.receives("conversation_added", count=2)
        await life(ada, grace, engines)
        await client.call("retry", engines, lost["client_id"])
        await client.has_sent_all(engines)
        await client.assert_in_sync(grace)
        assert (await client.texts(engines))[-1] == "still here?"


def is_refused(client: Any, conversation: str) -> Callable[[], Any]:
    async def check() -> bool:
        return [state for _, state in await client.pending(conversation)] == ["refused"]

    return check


async def test_what_the_server_refuses_says_why_and_stays_until_it_is_discarded(stage: Stage) -> None:
    _, grace, engines = await two(stage)
    async with watching(stage.there.url, grace) as client:
        empty = await client.say(engines, " ")
        await eventually(is_refused(client, engines), WITHIN)
        (refused,) = await client.call("pending", engines)
        assert (refused["error"]["code"], refused["error"]["errors"][0]["field"]) == ("invalid_message", "text")
        await client.say(engines, "ä" * 200_000)  # its frame would end the socket
        await client.say(engines, "good")
        await client.receives("message")
        pending = await client.call("pending", engines)
        assert [one["error"]["code"] for one in pending] == ["invalid_message", "too_large"]
        for one in pending:
            await client.call("discard", engines, one["client_id"])
        assert await client.call("pending", engines) == []
        assert len(client.of("state", state="live")) == 1, "the socket is the first one"
        assert empty["client_id"] == refused["client_id"]
    assert await stored(grace, engines) == {"good": 1}


async def test_a_throttled_send_says_until_when_waits_and_is_stored_once(stage: Stage) -> None:
    (api,) = stage.processes.apis({"THROTTLE_MESSAGES": "3/second"})
    _, grace, engines = await two(stage)
    texts = [f"one of many {number}" for number in range(7)]
    async with watching(api.url, grace) as client:
        seen = set[str]()
        for text in texts:
            await client.say(engines, text)
        while pending := await client.call("pending", engines):
            seen |= {one["state"] for one in pending if one["state"] != "throttled" or one["retry_at"] > time.time()}
        assert seen == {"waiting", "sending", "throttled"}
        await client.assert_in_sync(grace)
        assert await client.texts(engines) == texts
    assert [(await stored(grace, engines))[text] for text in texts] == [1] * 7
