"""The TypeScript client's login: renewed in time and once for all tabs, kept over a restart, and ended."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.domain.auth.tokens import Tokens
from tests.clients.conftest import Stage
from tests.clients.life import life, two
from tests.clients.losses import Left, Noting, Throttling
from tests.clients.typescript.program import WITHIN, Failed, Program, watching
from tests.support.client import PASSWORD, Person, eventually
from tests.support.processes import SECRET
from tests.support.proxy import Proxy

NOWHERE = "http://127.0.0.1:9"


def keep(stores: Path, access: str, person: Person) -> None:
    """As a former page has saved them."""
    user = {"id": person.id, "email": person.email, "first_name": "Grace", "last_name": "Tester", "is_active": True}
    pair = {"access": access, "refresh": person.refresh, "received": time.time() * 1000, "user": user}
    (stores / "tokens.json").write_text(json.dumps(pair))


def kept(stores: Path) -> Any:
    return json.loads((stores / "tokens.json").read_text())


def short(person: Person, seconds: float) -> str:
    """An access token of the same login that expires soon."""
    claims, now = Tokens(SECRET).verify(person.access, "access"), datetime.now(UTC)
    whose: dict[str, Any] = {"user": claims.user, "session": claims.session, "generation": claims.generation}
    return Tokens(SECRET).pair(**whose, rotated_at=now, expires_at=now + timedelta(seconds=seconds)).access


async def test_a_socket_outlives_its_token(stage: Stage, tmp_path: Path) -> None:
    ada, grace, engines = await two(stage)
    login = await stage.here.log_in(grace.email)
    keep(tmp_path, spent := short(login, 8), login)
    async with Program.running() as program:
        client = await program.open("chat", stage.there.url, tmp_path)
        began = time.monotonic()
        assert await client.call("resumeLogin") is True
        await client.comes_to("live")
        await eventually(lambda: time.monotonic() > began + 9.5, within=20)
        assert kept(tmp_path)["access"] != spent
        (await ada.say(engines, "still there?")).good(201)
        await client.receives("message")
        assert client.of("state", state="offline") == []


async def test_a_rejected_token_is_renewed_once_for_all_tabs(stage: Stage, tmp_path: Path) -> None:
    _, grace, _ = await two(stage)
    login = await stage.here.log_in(grace.email)
    keep(tmp_path, "spent.spent.token", login)
    paths = list[bytes]()
    proxy = Proxy(stage.there.url, lambda: Noting(paths))
    proxy.start()
    try:
        async with Program.running() as program:
            tabs = [await program.open(name, proxy.through, tmp_path) for name in ("one", "two", "three")]
            for tab in tabs:
                assert await tab.call("resumeLogin") is True
            answers = await asyncio.gather(*(tab.call("request", "GET", "/me/") for tab in tabs for _ in range(5)))
            assert {answer["id"] for answer in answers} == {grace.id}
            for tab in tabs:
                await tab.comes_to("live")
    finally:
        proxy.stop()
    assert paths.count(b"/api/v1/refresh/") == 1
    assert kept(tmp_path)["access"] != "spent.spent.token"


async def test_a_login_that_was_ended_elsewhere_ends_the_client(stage: Stage, tmp_path: Path) -> None:
    _, grace, engines = await two(stage)
    async with watching(stage.there.url, grace, tmp_path) as client:
        await grace.post("/reset-password/", current_password=PASSWORD, new_password="another password")
        await client.receives("login_ended")
        assert (await client.get("state"), await client.get("user")) == ("logged_out", None)
        assert await client.get("conversations") == {}
        assert kept(tmp_path) is None
        assert await client.call("resumeLogin") is False
        with pytest.raises(Failed) as failed:
            await client.say(engines, "still me?")
        assert failed.value.error["name"] == "LoginEnded"


async def test_unsent_messages_outlive_an_ended_login(stage: Stage, tmp_path: Path) -> None:
    ada, grace, engines = await two(stage)
    proxy = Proxy(stage.there.url)
    proxy.start()
    try:
        async with watching(proxy.through, grace, tmp_path) as client:
            proxy.refuse()
            await client.comes_to("offline")
            await client.say(engines, "written offline")
            for login in (await grace.get("/sessions/"))["items"]:
                if not login["current"]:
                    (await grace.call("DELETE", f"/sessions/{login['id']}/")).good(204)
            proxy.resume()
            await client.receives("login_ended")
            await client.log_in(ada)
            assert await client.call("pending", engines) == [], "of another user"
            await client.call("logIn", {"email": grace.email, "password": PASSWORD})
            await client.has_sent_all(engines)
    finally:
        proxy.stop()
    assert [message["text"] for message in await ada.history(engines)] == ["written offline"]


async def test_logging_out_ends_the_other_tabs_too(stage: Stage, tmp_path: Path) -> None:
    _, grace, _ = await two(stage)
    async with Program.running() as program:
        one, two_ = [await program.open(name, stage.there.url, tmp_path) for name in ("one", "two")]
        await one.log_in(grace)
        assert await two_.call("resumeLogin") is True
        await two_.comes_to("live")
        await one.call("logOut")
        assert await one.get("state") == "logged_out"
        await two_.receives("login_ended")
        assert one.of("login_ended") == [], "it was asked for"
        assert kept(tmp_path) is None
    assert [login["current"] for login in (await grace.get("/sessions/"))["items"]] == [True]


async def test_logging_out_gives_unsent_messages_up(stage: Stage, tmp_path: Path) -> None:
    _, grace, engines = await two(stage)
    proxy = Proxy(stage.there.url)
    proxy.start()
    try:
        async with watching(proxy.through, grace, tmp_path) as client:
            proxy.refuse()
            await client.comes_to("offline")
            await client.say(engines, "private")
            await client.call("logOut")
            assert await client.get("state") == "logged_out"
            assert kept(tmp_path) is None
            assert list((tmp_path / grace.id).iterdir()) == []
    finally:
        proxy.stop()


async def test_a_tab_does_not_take_over_the_login_of_another_user(stage: Stage, tmp_path: Path) -> None:
    ada, grace, _ = await two(stage)
    async with Program.running() as program:
        one, two_ = [await program.open(name, stage.there.url, tmp_path) for name in ("one", "two")]
        await one.log_in(grace)
        await two_.log_in(ada)
        for login in (await grace.get("/sessions/"))["items"]:
            if not login["current"]:
                (await grace.call("DELETE", f"/sessions/{login['id']}/")).good(204)
        await one.receives("login_ended")
        assert kept(tmp_path)["user"]["id"] == ada.id
        assert await two_.call("request", "GET", "/me/")


async def test_a_throttled_refresh_keeps_the_login(stage: Stage) -> None:
    ada, grace, engines = await two(stage)
    refusing, paths = Left(2), list[bytes]()
    proxy = Proxy(stage.there.url, lambda: Throttling(refusing, paths))
    proxy.start()
    try:
        async with watching(proxy.through, grace) as client:
            proxy.refuse()
            proxy.resume()
            await eventually(lambda: not refusing.count, WITHIN)
            await client.comes_to("live", count=2)
            await life(ada, grace, engines)
            await client.assert_in_sync(grace)
            assert client.of("login_ended") == []
    finally:
        proxy.stop()
    assert paths.count(b"/api/v1/login/") == 1


async def test_a_pair_of_another_route_is_adopted(stage: Stage) -> None:
    grace = await stage.here.register("Grace")
    async with Program.running() as program:
        client = await program.open("chat", stage.there.url)
        user = await client.call("adopt", {"access": grace.access, "refresh": grace.refresh})
        assert (user["id"], user["email"]) == (grace.id, grace.email)
        await client.comes_to("live")
        other = await program.open("other", stage.there.url)
        with pytest.raises(Failed) as failed:
            await other.call("adopt", {"access": "not.a.token", "refresh": "neither"})
        assert (failed.value.error["code"], await other.get("state")) == ("invalid_token", "logged_out")


async def test_a_pair_that_another_program_saved_is_continued(stage: Stage, tmp_path: Path) -> None:
    grace = await stage.here.register("Grace")
    (tmp_path / "tokens.json").write_text(json.dumps({"access": "spent.spent.token", "refresh": grace.refresh}))
    async with Program.running() as program:
        client = await program.open("chat", stage.there.url, tmp_path)
        assert await client.call("resumeLogin") is True
        assert (await client.get("user"))["email"] == grace.email
        await client.comes_to("live")


async def test_a_wrong_password_is_refused(stage: Stage) -> None:
    grace = await stage.here.register("Grace")
    async with Program.running() as program:
        client = await program.open("chat", stage.there.url)
        with pytest.raises(Failed) as failed:
            await client.call("logIn", {"email": grace.email, "password": "another password"})
        error = failed.value.error
        assert (error["name"], error["code"], error["status"]) == ("Refused", "invalid_credentials", 401)
        assert await client.get("state") == "logged_out"
        assert client.received == []


async def test_an_unreachable_server_is_reported(stage: Stage) -> None:
    async with Program.running() as program:
        client = await program.open("chat", NOWHERE)
        with pytest.raises(Failed) as failed:
            await client.call("logIn", {"email": "ada@example.org", "password": PASSWORD})
        assert failed.value.error["name"] == "Unreachable"
