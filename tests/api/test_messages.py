"""The message routes through the whole application: permissions, statuses and bodies."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from app.settings import Settings
from tests.support.web import API, Client, Someone, join, problem, running

Json = dict[str, Any]
PICTURE = "https://example.org/picture.png"


class Room(msgspec.Struct, frozen=True):
    """A conversation of ada's with grace (admin) and linus; eve stands outside."""

    client: Client
    ada: Someone
    grace: Someone
    linus: Someone
    eve: Someone
    id: str

    async def request(self, method: str, who: Someone, path: str = "", **options: Any) -> Any:
        headers = who.headers | options.pop("headers", {})
        url = f"{API}/conversations/{self.id}/messages/{path}"
        return await self.client.request(method, url, headers=headers, **options)

    async def send(self, who: Someone, text: str = "hello", **fields: Any) -> Json:
        answer = await self.request("POST", who, json={"message_type": "text", "text": text, **fields})
        assert answer.status_code == 201, answer.text
        sent: Json = answer.json()
        return sent

    async def page(self, who: Someone, **query: Any) -> Json:
        answer = await self.request("GET", who, params=query)
        assert answer.status_code == 200, answer.text
        page: Json = answer.json()
        return page


@pytest.fixture(scope="module")
async def client(settings: Settings) -> AsyncIterator[Client]:
    async with running(settings) as client:
        yield client


@pytest.fixture(scope="module")
async def people(client: Client) -> list[Someone]:
    """ada, grace, linus and eve: registered once, for hashing passwords is slow by design."""
    return [await join(client, name) for name in ("Ada", "Grace", "Linus", "Eve")]


@pytest.fixture(params=[True, False], ids=["private", "public"])
async def room(client: Client, people: list[Someone], request: pytest.FixtureRequest) -> Room:
    ada, grace, linus, eve = people
    made = await client.post(
        f"{API}/conversations/", headers=ada.headers, json={"name": "Engines", "is_private": request.param}
    )
    id_ = made.json()["id"]
    for path, who in (("add_member", grace), ("add_member", linus), ("make_admin", grace)):
        done = await client.post(f"{API}/conversations/{id_}/{path}/", headers=ada.headers, json={"user": who.id})
        assert done.status_code == 204, done.text
    return Room(client, ada, grace, linus, eve, id_)


async def test_a_send_is_answered_with_the_stored_message(room: Room) -> None:
    sent = await room.send(room.linus, "hello", client_id="a", reply_to=None)
    assert sent["seq"] == 1
    assert sent["conversation"] == room.id
    assert sent["sent_by"] == {"id": room.linus.id, "first_name": "Linus", "last_name": "Tester"}
    assert (sent["text"], sent["media_url"], sent["client_id"], sent["deleted_at"]) == ("hello", "", "a", None)
    assert await room.page(room.ada) == {"items": [sent], "position": sent["position"], "has_more": False}


async def test_a_retry_is_marked_as_a_replay(room: Room) -> None:
    first = await room.send(room.ada, client_id="a")
    body = {"message_type": "text", "text": "hello"}
    again = await room.request("POST", room.ada, json=body, headers={"Idempotency-Key": "a"})
    assert (again.status_code, again.headers["idempotency-replayed"]) == (200, "true")
    assert again.json() == first
    other = await room.request("POST", room.ada, json=body | {"client_id": "a", "text": "bye"})
    problem(other, 422, "idempotency_mismatch")
    both = await room.request("POST", room.ada, json=body | {"client_id": "a"}, headers={"Idempotency-Key": "b"})
    problem(both, 400, "invalid_message")


async def test_a_retry_after_an_edit_returns_the_edited_message(room: Room) -> None:
    first = await room.send(room.ada, client_id="a")
    await room.request("PATCH", room.ada, first["id"], json={"text": "edited"})
    again = await room.request("POST", room.ada, json={"message_type": "text", "text": "hello", "client_id": "a"})
    assert (again.status_code, again.json()["text"]) == (200, "edited")


@pytest.mark.parametrize("kind", ["image", "audio", "video"])
async def test_a_media_message_has_a_url_and_no_text(room: Room, kind: str) -> None:
    sent = await room.request("POST", room.ada, json={"message_type": kind, "media_url": PICTURE})
    assert (sent.status_code, sent.json()["media_url"], sent.json()["text"]) == (201, PICTURE, "")
    with_text = {"message_type": kind, "media_url": PICTURE, "text": "look"}
    problem(await room.request("POST", room.ada, json=with_text), 400, "invalid_message")


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/a.png",
        "ftp://example.org/a.png",
        "javascript:alert(1)",
        "https://",
        "https://user:password@example.org/a.png",
        "https://example.org/a b.png",
        "https://[broken/a.png",
        "https://example.org/" + "a" * 2_048,
        "",
    ],
)
async def test_a_media_address_is_https_short_and_without_credentials(room: Room, url: str) -> None:
    answer = await room.request("POST", room.ada, json={"message_type": "image", "media_url": url})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "media_url"
    assert (await room.page(room.ada))["items"] == []


async def test_outsiders_neither_read_nor_write_nor_learn_of_messages(
    room: Room, request: pytest.FixtureRequest
) -> None:
    sent = await room.send(room.ada)
    private = "private" in request.node.name
    status, code = (404, "not_found") if private else (403, "not_a_member")
    requested = [
        await room.request("GET", room.eve),
        await room.request("POST", room.eve, json={"message_type": "text", "text": "hello"}),
        await room.request("GET", room.eve, sent["id"]),
        await room.request("PATCH", room.eve, sent["id"], json={"text": "mine"}),
        await room.request("DELETE", room.eve, sent["id"]),
    ]
    for answer in requested:
        problem(answer, status, code)
    unknown = msgspec.structs.replace(room, id=str(uuid4()))
    if private:
        assert (await unknown.request("GET", room.eve)).json() == requested[0].json()
    assert (await room.page(room.ada))["items"] == [sent]


async def test_only_its_sender_edits_a_message(room: Room) -> None:
    sent = await room.send(room.linus, "one")
    problem(await room.request("PATCH", room.ada, sent["id"], json={"text": "two"}), 403, "not_the_sender")
    edited = await room.request("PUT", room.linus, sent["id"], json={"text": "two"})
    assert (edited.status_code, edited.json()["text"]) == (200, "two")
    assert edited.json()["position"] == sent["position"] + 1
    assert (await room.page(room.ada))["items"] == [edited.json()]


async def test_an_edit_must_fit_the_type_of_its_message(room: Room) -> None:
    text = await room.send(room.ada)
    image = (await room.request("POST", room.ada, json={"message_type": "image", "media_url": PICTURE})).json()
    for sent, body in (
        (text, {"media_url": PICTURE}),
        (text, {}),
        (text, {"text": "  "}),
        (text, {"text": "a", "media_url": PICTURE}),
        (image, {"text": "hello"}),
        (image, {"media_url": "http://example.org"}),
    ):
        assert (await room.request("PATCH", room.ada, sent["id"], json=body)).status_code == 400, body
    moved = await room.request("PATCH", room.ada, image["id"], json={"media_url": PICTURE + "?2"})
    assert moved.json()["media_url"] == PICTURE + "?2"


@pytest.mark.parametrize("who", ["ada", "grace", "linus"])
async def test_a_sender_or_admin_deletes_a_message_which_keeps_its_seq(room: Room, who: str) -> None:
    first, second = await room.send(room.linus, "one"), await room.send(room.linus, "two")
    gone = await room.request("DELETE", getattr(room, who), first["id"])
    assert gone.status_code == 204
    tombstone, kept = (await room.page(room.ada))["items"]
    assert (tombstone["seq"], tombstone["text"], tombstone["media_url"]) == (1, "", "")
    assert tombstone["deleted_at"] is not None
    assert kept == second
    problem(await room.request("DELETE", room.linus, first["id"]), 409, "deleted")
    problem(await room.request("PATCH", room.linus, first["id"], json={"text": "back"}), 409, "deleted")


async def test_a_plain_member_cannot_delete_the_message_of_another(room: Room) -> None:
    sent = await room.send(room.ada)
    problem(await room.request("DELETE", room.linus, sent["id"]), 403, "not_the_sender")


async def test_a_message_is_found_only_in_its_own_conversation(room: Room) -> None:
    sent = await room.send(room.ada)
    other = await room.client.post(f"{API}/conversations/", headers=room.ada.headers, json={"name": "Other"})
    elsewhere = msgspec.structs.replace(room, id=other.json()["id"])
    for method, options in (("GET", {}), ("PATCH", {"json": {"text": "x"}}), ("DELETE", {})):
        problem(await elsewhere.request(method, room.ada, sent["id"], **options), 404, "not_found")


async def test_pages_follow_the_log_in_every_direction(room: Room) -> None:
    for number in range(1, 8):
        await room.send(room.ada, str(number))

    async def seqs(**query: int) -> tuple[list[int], bool]:
        page = await room.page(room.linus, **query)
        return [one["seq"] for one in page["items"]], page["has_more"]

    assert await seqs() == ([1, 2, 3, 4, 5, 6, 7], False)
    assert await seqs(limit=3) == ([5, 6, 7], True)
    assert await seqs(before=5, limit=3) == ([2, 3, 4], True)
    assert await seqs(before=2, limit=3) == ([1], False)
    assert await seqs(before=1) == ([], False)
    assert await seqs(after=0, limit=3) == ([1, 2, 3], True)
    assert await seqs(after=4, limit=3) == ([5, 6, 7], False)
    assert await seqs(after=7) == ([], False)
    assert await seqs(after=99) == ([], False)
    assert await seqs(around=4, limit=3) == ([3, 4, 5], True)
    assert await seqs(around=1, limit=3) == ([1, 2, 3], True)
    assert await seqs(around=99, limit=3) == ([5, 6, 7], True)
    assert await seqs(around=4, limit=500) == ([1, 2, 3, 4, 5, 6, 7], False)


@pytest.mark.parametrize(
    "query", [{"limit": 0}, {"limit": 501}, {"limit": "many"}, {"before": 3, "after": 1}, {"before": "x"}]
)
async def test_an_invalid_page_request_is_refused(room: Room, query: dict[str, Any]) -> None:
    assert (await room.request("GET", room.ada, params=query)).status_code == 400


async def test_a_seq_beyond_bigint_is_no_server_error(room: Room) -> None:
    await room.send(room.ada)
    for query in ({"after": 10**30}, {"before": -(10**30)}, {"around": 10**30}):
        assert (await room.request("GET", room.ada, params=query)).status_code in (200, 400)


async def test_seen_by_lists_the_sender_and_the_members_who_read_that_far(room: Room) -> None:
    first, second = await room.send(room.ada, "one"), await room.send(room.ada, "two")
    read = await room.client.put(f"{API}/conversations/{room.id}/read/", headers=room.linus.headers, json={"seq": 1})
    assert read.json() == {"read_seq": 1, "unread": 1}

    async def readers(sent: Json) -> tuple[int, list[str]]:
        seen = (await room.request("GET", room.grace, sent["id"])).json()["seen_by"]
        return seen["count"], [one["first_name"] for one in seen["users"]]

    assert await readers(first) == (2, ["Ada", "Linus"])
    assert await readers(second) == (1, ["Ada"])


async def test_a_later_member_may_read_earlier_messages_but_is_not_in_seen_by(room: Room) -> None:
    sent = await room.send(room.ada)
    await room.client.post(
        f"{API}/conversations/{room.id}/add_member/", headers=room.ada.headers, json={"user": room.eve.id}
    )
    assert (await room.page(room.eve))["items"] == [sent]
    await room.client.put(f"{API}/conversations/{room.id}/read/", headers=room.eve.headers, json={"seq": 1})
    seen = (await room.request("GET", room.ada, sent["id"])).json()["seen_by"]
    assert [one["first_name"] for one in seen["users"]] == ["Ada"]
