"""Operators look people and conversations up, and suspend accounts: effective at once, everywhere, until restored."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from app.domain.orm import uuid7
from tests.support.client import API, PASSWORD, Json, Person, Socket
from tests.support.operators import root
from tests.system.conftest import Pair

REFUSED = 4403
SECONDS = 2.0


@pytest.fixture
async def operator(pair: Pair, database_url: str) -> Person:
    return await root(pair.one, database_url)


async def found(operator: Person, what: str, search: str) -> list[Json]:
    items: list[Json] = (await operator.get(f"/ops/{what}/", search=search))["items"]
    return items


async def try_login(person: Person) -> str:
    body = {"email": person.email, "password": PASSWORD}
    return (await person.node.request("POST", f"{API}/login/", json=body)).problem.code


async def test_a_suspension_closes_sockets_and_logins_everywhere_within_two_seconds(
    pair: Pair, operator: Person
) -> None:
    ada = await pair.one.register("Ada")
    there, phone = ada.at(pair.two), await pair.two.log_in(ada.email)
    async with ada.listening() as one, there.listening() as two, phone.listening() as three:
        await operator.post(f"/ops/users/{ada.id}/suspend/", reason="spam")
        async with asyncio.timeout(SECONDS):
            assert [await socket.closed() for socket in (one, two, three)] == [REFUSED] * 3
    for person in (ada, there, phone):
        assert (await person.call("GET", "/me/")).problem.status == 401
        async with Socket.opened(person.node, person.access) as socket:
            assert await socket.closed() == REFUSED
            assert socket.frames == []
    refreshed = await pair.two.request("POST", f"{API}/refresh/", json={"refresh": ada.refresh})
    assert refreshed.problem.status == 401
    assert await try_login(ada) == "suspended"


async def test_a_restored_account_keeps_its_conversations_and_must_log_in_again(pair: Pair, operator: Person) -> None:
    ada, linus = await pair.one.register("Ada"), await pair.one.register("Linus")
    group = await ada.converse(linus)
    await operator.post(f"/ops/users/{ada.id}/suspend/", reason="a mistake")
    assert (await linus.say(group, "where is she?")).status == 201
    await operator.post(f"/ops/users/{ada.id}/restore/")
    assert (await ada.call("GET", "/me/")).problem.code == "login_ended"
    again = await pair.two.log_in(ada.email)
    async with again.listening() as socket:
        (hello,) = socket.received("hello")
        assert [(one["id"], one["unread"]) for one in hello["conversations"]] == [(group, 1)]


async def test_a_suspension_leaves_other_users_alone(pair: Pair, operator: Person) -> None:
    ada, linus = await pair.one.register("Ada"), await pair.one.register("Linus")
    async with linus.listening() as socket:
        await operator.post(f"/ops/users/{ada.id}/suspend/", reason="spam")
        await socket.settle()
        assert socket.code is None


async def test_an_impossible_suspension_or_restoration_names_its_reason(pair: Pair, operator: Person) -> None:
    ada, gone = await pair.one.register("Ada"), await pair.one.register("Gone")
    (await gone.call("DELETE", "/me/", {"current_password": PASSWORD})).good(204)

    async def code(person: str, verb: str, body: Any = None) -> str:
        return (await operator.call("POST", f"/ops/users/{person}/{verb}/", body)).problem.code

    because = {"reason": "because"}
    assert await code(operator.id, "suspend", because) == "own_account"
    assert await code(str(uuid7()), "suspend", because) == "not_found"
    assert await code(str(uuid7()), "restore") == "not_found"
    assert await code(gone.id, "suspend", because) == "account_closed"
    assert await code(gone.id, "restore") == "account_closed"
    assert await code(ada.id, "restore") == "not_suspended"
    for reason in ("", "  ", "two\nlines", "x" * 501, None):
        assert await code(ada.id, "suspend", {"reason": reason}) == "invalid"
    assert (await ada.call("GET", "/me/")).status == 200
    await operator.post(f"/ops/users/{ada.id}/suspend/", **because)
    assert await code(ada.id, "suspend", because) == "already_suspended"
    entries = (await operator.get("/ops/audit/", by=operator.id))["items"]
    assert [(one["action"], one["subject"], one["details"]) for one in entries] == [
        ("account.suspended", ada.id, because)
    ]


async def test_a_login_made_during_a_suspension_does_not_outlive_it(pair: Pair, operator: Person) -> None:
    ada = await pair.one.register("Ada")
    body = {"email": ada.email, "password": PASSWORD}
    logins = [pair.two.request("POST", f"{API}/login/", json=body) for _ in range(6)]
    suspended = operator.post(f"/ops/users/{ada.id}/suspend/", reason="spam")
    *answers, _ = await asyncio.gather(*logins, suspended)
    for answer in answers:
        if answer.status == 200:
            late = Person(pair.one, ada.id, ada.email, answer.body["access"], answer.body["refresh"])
            assert (await late.call("GET", "/me/")).problem.status == 401
    assert (await found(operator, "users", ada.id))[0]["logins"] == 0


async def test_operators_find_an_account_by_id_email_or_part_of_its_name(pair: Pair, operator: Person) -> None:
    name = f"Zadig{uuid7().hex[-8:]}"
    ada, linus = await pair.one.register(name), await pair.one.register("Linus")
    await pair.two.log_in(ada.email)
    group = await ada.converse(linus)
    await ada.converse()
    left = await linus.converse(ada)
    await ada.post(f"/conversations/{left}/leave_conversation/")
    deleted = await ada.converse()
    (await ada.call("DELETE", f"/conversations/{deleted}/")).good(204)
    (account,) = await found(operator, "users", ada.id)
    for search in (ada.email.upper(), name[1:].lower(), f" {ada.id} "):
        assert await found(operator, "users", search) == [account]
    assert await found(operator, "users", ada.email[:-1]) == []
    assert ada.email not in str(account)
    assert account == {
        "id": ada.id,
        "first_name": name,
        "last_name": "Tester",
        "created_at": account["created_at"],
        "activated": True,
        "operator": False,
        "suspended_at": None,
        "closed_at": None,
        "conversations": 2,
        "logins": 2,
        "last_used_at": account["last_used_at"],
    }
    assert account["last_used_at"] > account["created_at"]
    assert group


async def test_operators_find_suspended_and_closed_accounts_with_their_state(pair: Pair, operator: Person) -> None:
    ada = await pair.one.register("Ada")
    await operator.post(f"/ops/users/{ada.id}/suspend/", reason="spam")
    (account,) = await found(operator, "users", ada.email)
    assert (account["suspended_at"] is None, account["logins"], account["last_used_at"]) == (False, 0, None)
    await operator.post(f"/ops/users/{ada.id}/restore/")
    again = await pair.one.log_in(ada.email)
    (await again.call("DELETE", "/me/", {"current_password": PASSWORD})).good(204)
    (closed,) = await found(operator, "users", ada.id)
    assert (closed["first_name"], closed["suspended_at"]) == ("deleted", None)
    assert closed["closed_at"] is not None
    (own,) = await found(operator, "users", operator.id)
    assert own["operator"] is True


async def test_operators_find_a_conversation_in_any_state_by_id_or_part_of_its_name(
    pair: Pair, operator: Person
) -> None:
    ada, linus = await pair.one.register("Ada"), await pair.one.register("Linus")
    name = f"100%_{uuid7().hex[-8:]}"
    group = (await ada.post("/conversations/", name=name, is_private=True))["id"]
    await ada.post(f"/conversations/{group}/add_member/", user=linus.id)
    (await ada.say(group, "the secret of the engine")).good(201)
    (record,) = await found(operator, "conversations", group)
    assert await found(operator, "conversations", name.upper()) == [record]
    assert await found(operator, "conversations", name.replace("%", "x")) == []
    assert "secret" not in str(record)
    assert (record["name"], record["members"], record["messages"], record["creator"]) == (name, 2, 1, ada.id)
    assert (record["kind"], record["is_private"], record["deleted_at"]) == ("group", True, None)
    (await ada.call("DELETE", f"/conversations/{group}/")).good(204)
    (deleted,) = await found(operator, "conversations", name)
    assert deleted["deleted_at"] is not None


@pytest.mark.parametrize("what", ["users", "conversations"])
async def test_lists_are_paged_newest_first(pair: Pair, operator: Person, what: str) -> None:
    for name in ("Ada", "Grace", "Linus"):
        await (await pair.one.register(name)).converse()
    whole = (await operator.get(f"/ops/{what}/"))["items"]
    assert [one["id"] for one in whole] == sorted((one["id"] for one in whole), reverse=True)
    first = await operator.get(f"/ops/{what}/", limit=2)
    second = await operator.get(f"/ops/{what}/", limit=1, cursor=first["next"])
    walked = [one["id"] for one in first["items"] + second["items"]]
    assert walked == [one["id"] for one in whole[:3]]
    other = "conversations" if what == "users" else "users"
    assert (await operator.call("GET", f"/ops/{other}/", params={"cursor": first["next"]})).problem.status == 400
    for search in ("x", "", "\x00\x00"):
        assert (await operator.call("GET", f"/ops/{what}/", params={"search": search})).problem.fields == {"search"}
