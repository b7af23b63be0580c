"""The reference client without faults: logins, throttles, access, and a caller that does not read."""

from __future__ import annotations

import asyncio
import os
import re
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from chat_client import Chat, LoginEnded, OutcomeUnknown, Refused, Throttled, Unreachable, events
from chat_client.errors import ChatError
from chat_client.login import Login

from app.domain.auth.tokens import Tokens
from tests.clients.conftest import Stage
from tests.clients.life import life, stored, two
from tests.clients.python.watcher import WITHIN, watching
from tests.docs.markers import ROOT
from tests.support.client import PASSWORD, eventually
from tests.support.processes import SECRET

NOWHERE = "http://127.0.0.1:9"


async def test_the_view_equals_the_servers_state(stage: Stage) -> None:
    ada, grace, engines = await two(stage)
    async with watching(stage.there.url, grace) as watcher:
        await life(ada, grace, engines)
        sent = await watcher.chat.send(engines, text="hello", reply_to=1)
        image = await watcher.chat.send(engines, message_type="image", media_url="https://example.org/moth.jpg")
        await watcher.chat.read(engines, image.seq)
        await watcher.assert_in_sync()
        assert watcher.chat.conversations[engines].unread == 0
        assert (sent.text, sent.reply_to, sent.sent_by.id) == ("hello", 1, watcher.chat.user)
        assert [message.seq for message in watcher.chat.messages(engines)] == list(range(1, 8))
        assert watcher.of(events.ConversationChanged)
        assert watcher.of(events.GapFound, events.Disconnected, events.Reset, events.Unknown) == []
        watcher.assert_no_duplicates()


async def test_a_client_that_leaves_closes_its_socket_with_1000(stage: Stage) -> None:
    grace = await stage.here.register("Grace")

    async def closed() -> dict[str, float]:
        async with httpx.AsyncClient() as http:
            text = (await http.get(f"{stage.there.url}/metrics")).text
        return {code: float(n) for code, n in re.findall(r'chat_sockets_closed_total\{code="(\w+)"\} (\S+)', text)}

    before = await closed()
    async with watching(stage.there.url, grace) as watcher:
        await watcher.assert_in_sync()
    deadline = time.monotonic() + WITHIN
    while (after := await closed()) == before:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    assert {code: n - before.get(code, 0) for code, n in after.items() if n != before.get(code, 0)} == {"1000": 1}


async def test_all_conversations_beyond_the_hello_arrive(stage: Stage) -> None:
    grace = await stage.here.register("Grace")
    for number in range(55):
        await grace.post("/conversations/", name=f"Number {number}", is_private=True)
    async with watching(stage.there.url, grace) as watcher:
        await watcher.assert_in_sync()
        assert len(watcher.chat.conversations) == 55


async def test_a_removed_conversation_disappears_and_a_restored_one_returns(stage: Stage) -> None:
    ada, grace, engines = await two(stage)
    async with watching(stage.there.url, grace) as watcher:
        assert engines in watcher.chat.conversations
        await ada.post(f"/conversations/{engines}/remove_member/", user=grace.id)
        await watcher.receives(events.ConversationRemoved)
        assert watcher.of(events.ConversationRemoved) == [events.ConversationRemoved(engines, "removed")]
        assert watcher.chat.conversations == {}
        with pytest.raises(Refused) as refused:
            await watcher.chat.send(engines, text="still here?")
        assert refused.value.code == "not_found"
        (await ada.say(engines, "among ourselves")).good(201)
        await ada.post(f"/conversations/{engines}/add_member/", user=grace.id)
        await watcher.receives(events.ConversationAdded, count=2)
        await life(ada, grace, engines)
        await watcher.assert_in_sync()


async def test_a_throttled_send_waits_and_is_stored_once(stage: Stage) -> None:
    (api,) = stage.processes.apis({"THROTTLE_MESSAGES": "3/second"})
    _, grace, engines = await two(stage)
    async with watching(api.url, grace) as watcher:
        texts = [f"one of many {number}" for number in range(7)]
        await asyncio.gather(*(watcher.chat.send(engines, text=text, within=60) for text in texts))
        assert watcher.of(events.ThrottledFor)
        assert {event.policy for event in watcher.of(events.ThrottledFor)} == {"messages"}
        await watcher.assert_in_sync()
    said = await stored(grace, engines)
    assert [said[text] for text in texts] == [1] * 7


async def test_a_throttle_longer_than_the_deadline_is_an_error(stage: Stage) -> None:
    (api,) = stage.processes.apis({"THROTTLE_MESSAGES": "1/hour"})
    _, grace, engines = await two(stage)
    async with watching(api.url, grace) as watcher:
        await watcher.chat.send(engines, text="one")
        with pytest.raises(Throttled) as throttled:
            await watcher.chat.send(engines, text="two", within=5)
        assert throttled.value.retry_after > 5
    assert await stored(grace, engines) == {"one": 1}


async def test_a_socket_outlives_its_token(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    _, grace, _ = await two(stage)
    adopt, short = Login.adopt, list[str]()

    def adopt_short(login: Login, access: str, refresh: str) -> None:
        """The first token, which opens the socket, lives eight seconds."""
        if not short:
            claims, now = Tokens(SECRET).verify(access, "access"), datetime.now(UTC)
            whose = {"user": claims.user, "session": claims.session}
            end = now + timedelta(seconds=8)
            pair = Tokens(SECRET).pair(**whose, generation=claims.generation, rotated_at=now, expires_at=end)
            short.append(access := pair.access)
        adopt(login, access, refresh)

    monkeypatch.setattr(Login, "adopt", adopt_short)
    began = time.monotonic()
    async with watching(stage.there.url, grace) as watcher:
        await eventually(lambda: time.monotonic() > began + 9.5, within=20)
        assert watcher.chat._login.access != short[0]
        assert watcher.chat.is_connected
        assert watcher.of(events.Disconnected) == []


async def test_a_rejected_token_is_renewed_once(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    _, grace, _ = await two(stage)
    async with watching(stage.there.url, grace) as watcher:
        login, refreshes = watcher.chat._login, list[str]()
        login.access = "spent." * 2 + "token"
        call = login._rest.call

        async def counted(method: str, path: str, **more: Any) -> Any:
            refreshes.extend([path] if path == "/refresh/" else [])
            return await call(method, path, **more)

        monkeypatch.setattr(login._rest, "call", counted)
        answers = await asyncio.gather(*(watcher.chat.request("GET", "/me/") for _ in range(10)))
        assert [answer["id"] for answer in answers] == [grace.id] * 10
        assert refreshes == ["/refresh/"]


async def test_the_client_logs_in_again_after_its_login_was_ended(stage: Stage) -> None:
    ada, grace, engines = await two(stage)
    async with watching(stage.there.url, grace) as watcher:
        for login in (await grace.get("/sessions/"))["items"]:
            if not login["current"]:
                (await grace.call("DELETE", f"/sessions/{login['id']}/")).good(204)
        await watcher.receives(events.Connected, count=2)
        assert [event.code for event in watcher.of(events.Disconnected)] == [4401]
        await life(ada, grace, engines)
        await watcher.assert_in_sync()


async def test_a_login_that_cannot_be_renewed_ends_the_events(stage: Stage) -> None:
    _, grace, engines = await two(stage)
    async with watching(stage.there.url, grace) as watcher:
        await grace.post("/reset-password/", current_password=PASSWORD, new_password="another password")
        await eventually(lambda: watcher.ended, WITHIN)
        assert isinstance(watcher.ended, LoginEnded)
        with pytest.raises(LoginEnded):
            await watcher.chat.send(engines, text="still me?")


async def test_a_caller_that_does_not_read_has_a_bounded_queue_and_misses_nothing(stage: Stage) -> None:
    ada, grace, engines = await two(stage)
    async with Chat(stage.there.url, queue=3).logged_in(grace.email, PASSWORD) as chat:
        await eventually(lambda: chat.is_connected)
        for number in range(40):
            (await ada.say(engines, f"{number}")).good(201)
        sent = await chat.send(engines, text="sent without reading")
        assert chat._events.qsize() <= 3
        heard: list[str] = []
        async with asyncio.timeout(WITHIN):
            async for event in chat.events():
                if isinstance(event, events.MessageChanged):
                    heard.append(event.message.text)
                    if event.message.id == sent.id:
                        break
    assert heard == [*(f"{number}" for number in range(40)), "sent without reading"]


async def test_a_wrong_password_is_reported_at_once(stage: Stage) -> None:
    _, grace, _ = await two(stage)
    with pytest.raises(Refused) as refused:
        async with Chat(stage.there.url).logged_in(grace.email, "another password"):
            raise AssertionError
    assert (refused.value.code, refused.value.status) == ("invalid_credentials", 401)


async def test_an_unreachable_server_is_reported_in_time() -> None:
    with pytest.raises(Unreachable):
        async with Chat(NOWHERE, seconds=1).logged_in("ada@example.org", PASSWORD):
            raise AssertionError


async def test_a_send_without_an_answer_is_unsettled_at_its_deadline(stage: Stage) -> None:
    _, grace, engines = await two(stage)
    async with watching(stage.there.url, grace) as watcher:
        stage.there.kill()
        with pytest.raises(OutcomeUnknown) as unknown:
            await watcher.chat.send(engines, text="anybody?", client_id="mine", within=2)
        assert unknown.value.client_id == "mine"
        await asyncio.to_thread(stage.bring_back)
        settled = await watcher.chat.send(engines, text="anybody?", client_id="mine", within=60)
        assert settled.client_id == "mine"
    assert (await stored(grace, engines))["anybody?"] == 1
    assert issubclass(OutcomeUnknown, ChatError)


async def test_a_page_older_than_the_received_events_is_loaded_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, grace, engines = await two(stage)
    async with watching(stage.there.url, grace) as watcher:
        chat, call, requested = watcher.chat, watcher.chat._login.call, list[str]()
        await grace.say(engines, "one")
        await watcher.receives(events.MessageChanged)

        async def late(method: str, path: str, **more: Any) -> Any:
            """A cache that is two seconds behind, once."""
            requested.append(path)
            page = await call(method, path, **more)
            return {"items": [], "position": 0, "has_more": False} if len(requested) == 1 else page

        monkeypatch.setattr(chat._login, "call", late)
        assert await chat.load(engines) == [], "the only message is already an event"
        assert len(requested) == 2


async def test_the_program_of_the_readme_answers_a_ping(stage: Stage) -> None:
    (shown,) = re.findall(r"```python\n(.*?)```", (ROOT / "clients" / "python" / "README.md").read_text(), re.DOTALL)
    ada, grace, engines = await two(stage)
    program = shown
    for theirs, here in (
        ("http://127.0.0.1:8000", stage.there.url),
        ("ada@example.org", grace.email),
        ("analytical-engine", PASSWORD),
    ):
        assert theirs in program
        program = program.replace(theirs, here)
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "clients" / "python")}
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, env=environment, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        async with watching(stage.there.url, ada) as watcher:

            async def answered() -> bool:
                """A message sent before it listens is in its view and no event, so it is sent again."""
                assert running.returncode is None
                await watcher.chat.send(engines, text="ping")
                return (await stored(ada, engines))["pong"] > 0

            await eventually(answered, WITHIN)
    finally:
        if running.returncode is None:
            running.kill()
        await running.wait()
