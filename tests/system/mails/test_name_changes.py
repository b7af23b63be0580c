"""A new name or a closed account is visible everywhere within ten seconds: pages, changes, sockets."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest

from app.db import Database
from app.domain.conversations import name_changes
from app.domain.users.models import User
from app.tasks import profile_propagation
from app.wiring import make_celery
from tests.support.client import Node, Person
from tests.support.mailbox import Mailboxes
from tests.support.nodes import eventually
from tests.support.processes import Processes
from tests.support.web import API, PASSWORD
from tests.system.mails.conftest import Place

SECONDS = 10.0


@pytest.fixture(scope="module")
def started(place: Place, mailboxes: Mailboxes) -> Processes:
    """Beside the worker an API without activation; no beat: errands must arrive by themselves."""
    return place.processes


@pytest.fixture(scope="module")
def url(started: Processes) -> str:
    return started.api().url


@pytest.fixture
async def node(url: str) -> Any:
    found = Node(url)
    yield found
    await found.close()


async def names_seen(reader: Person, conversation: str, someone: str) -> set[str]:
    """What `someone` is called wherever `reader` looks."""
    pages = [await reader.page(conversation), await reader.history(conversation)]
    seen = {f"{m['sent_by']['first_name']} {m['sent_by']['last_name']}" for page in pages for m in page}
    for line in (await reader.get("/conversations/"))["items"]:
        if line["id"] == conversation and line["last_message"]:
            seen.add("{first_name} {last_name}".format(**line["last_message"]["sent_by"]))
    members = (await reader.get(f"/conversations/{conversation}/members/"))["items"]
    seen |= {
        "{first_name} {last_name}".format(**member["user"]) for member in members if member["user"]["id"] == someone
    }
    return seen


async def test_a_new_name_is_visible_everywhere_within_ten_seconds(node: Node) -> None:
    ada, grace = await node.register("Ada"), await node.register("Grace")
    conversations = [await ada.converse(grace) for _ in range(12)]
    left = await ada.converse(grace)
    for conversation in (*conversations, left):
        await ada.say(conversation, "hello")
        await grace.page(conversation)
    before = {one: (await grace.get(f"/conversations/{one}/"))["position"] for one in conversations}
    await ada.post(f"/conversations/{left}/leave_conversation/")
    async with grace.listening() as socket:
        renamed = await ada.call("PATCH", "/me/", {"first_name": "Augusta", "last_name": "King"})
        assert renamed.status == 200
        heard = {(await socket.expect("member.updated", within=SECONDS))["conversation"] for _ in conversations}
        assert heard == set(conversations)
    for conversation in conversations:
        assert await names_seen(grace, conversation, ada.id) == {"Augusta King"}
    assert "Augusta King" not in await names_seen(grace, left, ada.id)
    for conversation in conversations:
        changes = await grace.get(f"/conversations/{conversation}/changes/", after=before[conversation])
        assert [(one["type"], one["data"]["user"]["first_name"]) for one in changes["items"]] == [
            ("member.updated", "Augusta")
        ]


async def test_a_removed_member_writes_no_new_name_into_a_private_group(node: Node, database: Database) -> None:
    ada, eve = await node.register("Ada"), await node.register("Eve")
    private, shared = await ada.converse(eve), await ada.converse(eve)
    for conversation in (private, shared):
        await eve.say(conversation, "hello")
        await ada.page(conversation)
    position = (await ada.get(f"/conversations/{private}/"))["position"]
    await ada.post(f"/conversations/{private}/remove_member/", user=eve.id)
    old = await names_seen(ada, private, eve.id)
    async with ada.listening() as socket:
        renamed = await eve.call("PATCH", "/me/", {"first_name": "Written", "last_name": "Afterwards"})
        assert renamed.status == 200
        await socket.expect("member.updated", conversation=shared, within=SECONDS)

        async def propagated() -> bool:
            async with database.transaction() as session:
                row = await session.get_one(User, UUID(eve.id))
                return row.told_version == row.version

        for _ in range(200):
            if await propagated():
                break
            await asyncio.sleep(0.05)
        assert await propagated()
        await asyncio.sleep(0.5)
        heard = [frame for frame in socket.frames if frame.get("conversation") == private]
        assert [frame for frame in heard if "Written" in str(frame)] == []
    assert await names_seen(ada, shared, eve.id) == {"Written Afterwards"}
    assert await names_seen(ada, private, eve.id) == old
    caught_up = await ada.get(f"/conversations/{private}/changes/", after=position)
    assert [one["type"] for one in caught_up["items"]] == ["member.removed"]
    assert "Written" not in str(caught_up)
    await ada.post(f"/conversations/{private}/add_member/", user=eve.id)
    assert await names_seen(ada, private, eve.id) == {"Written Afterwards"}


async def test_an_unchanged_name_moves_no_position(node: Node) -> None:
    ada = await node.register("Ada")
    conversation = await ada.converse()
    before = (await ada.get(f"/conversations/{conversation}/"))["position"]
    for _ in range(2):
        assert (await ada.call("PATCH", "/me/", {"first_name": "Ada"})).status == 200
    await asyncio.sleep(1)
    assert (await ada.get(f"/conversations/{conversation}/"))["position"] == before


async def test_a_closed_account_is_gone_everywhere_within_ten_seconds(
    node: Node, mailboxes: Mailboxes, database: Database
) -> None:
    ada, grace, linus = [await node.register(name) for name in ("Ada", "Grace", "Linus")]
    group = await ada.converse(grace, linus)
    await ada.post(f"/conversations/{group}/make_admin/", user=linus.id)
    direct = (await ada.post("/conversations/", kind="direct", user=grace.id))["id"]
    alone = await ada.converse()
    for conversation in (group, direct):
        await ada.say(conversation, "what I wrote stays")
        await grace.page(conversation)
    wrong = await ada.call("DELETE", "/me/", {"current_password": "not the password"})
    assert (wrong.status, wrong.problem.code) == (400, "wrong_password")
    async with ada.listening() as own, grace.listening() as graces:
        assert (await ada.call("DELETE", "/me/", {"current_password": PASSWORD})).status == 204
        await eventually(lambda: own.code == 4401, 2.0)
        left = await graces.expect("member.left", conversation=group, within=SECONDS)
        assert left["data"]["user"] == {"id": ada.id, "first_name": "deleted", "last_name": "user"}
        creator = await graces.expect("conversation.updated", conversation=group, within=SECONDS)
        assert creator["data"]["creator"] == linus.id
        assert creator["data"]["created_by"] == ada.id
        await graces.expect("member.updated", conversation=direct, within=SECONDS)
    await mailboxes.wait_for(ada.email, "account at Chat is closed")
    for conversation in (group, direct):
        assert await names_seen(grace, conversation, ada.id) == {"deleted user"}
        [message] = await grace.page(conversation)
        assert message["text"] == "what I wrote stays"
    assert {one["user"]["id"] for one in (await grace.get(f"/conversations/{group}/members/"))["items"]} == {
        grace.id,
        linus.id,
    }
    assert (await grace.call("POST", f"/conversations/{group}/add_member/", {"user": ada.id})).status in (400, 403)
    assert (await linus.call("POST", f"/conversations/{group}/add_member/", {"user": ada.id})).problem.code == (
        "unknown_user"
    )
    assert (await grace.get("/users/", search=ada.email))["items"] == []
    refused = await node.request("POST", f"{API}/login/", json={"email": ada.email, "password": PASSWORD})
    assert refused.problem.code == "invalid_credentials"
    again = await node.request("POST", f"{API}/refresh/", json={"refresh": ada.refresh})
    assert again.problem.code == "invalid_token"
    async with database.transaction() as session:
        row = await session.get_one(User, UUID(ada.id))
        assert row.email.endswith("@closed.invalid")
        assert ada.id not in row.email
        assert row.password_hash == ""
    # It has no members left: it is closed, and no user finds it.
    assert (await grace.call("POST", f"/conversations/{alone}/join/")).status == 404
    # The address is free for a new account.
    account = {"email": ada.email, "password": PASSWORD, "first_name": "Another", "last_name": "Ada"}
    assert (await node.request("POST", f"{API}/users/", json=account)).status == 201


async def test_an_interrupted_name_change_continues_where_it_stopped(
    node: Node, database: Database, place: Place
) -> None:
    ada = await node.register("Ada")
    conversations = sorted([await ada.converse() for _ in range(6)])

    async def positions() -> list[int]:
        return [(await ada.get(f"/conversations/{one}/"))["position"] for one in conversations]

    before = await positions()
    async with database.transaction() as session:
        row = await session.get_one(User, UUID(ada.id))
        row.first_name, row.version = "Augusta", row.version + 1
        await session.flush()
    for _ in range(2):  # and then the worker died; its lease is over by itself
        async with database.transaction() as session:
            assert await name_changes.propagate_next(session, UUID(ada.id))
    make_celery(place.settings)
    profile_propagation.publish_lost_profile_changes.apply_async()
    await asyncio.sleep(name_changes.LEASE.total_seconds() + 0.2)
    profile_propagation.publish_lost_profile_changes.apply_async()

    async def done() -> bool:
        async with database.transaction() as session:
            row = await session.get_one(User, UUID(ada.id))
            return row.told_version == row.version

    for _ in range(200):
        if await done():
            break
        await asyncio.sleep(0.05)
    assert await positions() == [position + 1 for position in before]


async def test_a_failed_propagation_resumes_without_waiting_for_its_lease(node: Node, database: Database) -> None:
    ada = await node.register("Ada")
    async with database.transaction() as session:
        row = await session.get_one(User, UUID(ada.id))
        row.first_name, row.version = "Augusta", row.version + 1
    begun: list[bool] = []
    for again in (False, False, True):
        async with database.transaction() as session:
            begun.append(await name_changes.begin_propagation(session, UUID(ada.id), again=again))
    assert begun == [True, False, True]


async def test_a_name_changed_during_its_propagation_reaches_every_conversation(database: Database, node: Node) -> None:
    ada = await node.register("Ada")
    conversations = sorted([await ada.converse() for _ in range(3)])

    async def rename(name: str) -> None:
        async with database.transaction() as session:
            row = await session.get_one(User, UUID(ada.id))
            row.first_name, row.version, row.told_through = name, row.version + 1, None
            await session.flush()

    await rename("Augusta")
    for _ in range(2):
        async with database.transaction() as session:
            assert await name_changes.propagate_next(session, UUID(ada.id))
    await rename("Byron")
    received = 0
    while True:
        async with database.transaction() as session:
            if not await name_changes.propagate_next(session, UUID(ada.id)):
                break
        received += 1
    assert received == len(conversations) + 1
    for one in conversations:
        changes = await ada.get(f"/conversations/{one}/changes/", after=0)
        [member] = [change for change in changes["items"] if change["type"].startswith("member.")]
        assert member["data"]["user"]["first_name"] == "Byron"
