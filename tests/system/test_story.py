"""The story: two users on two processes, from registration to a tombstone, and an outsider who learns nothing."""

from __future__ import annotations

import asyncio
from itertools import pairwise

from app.domain.orm import uuid7
from tests.support.client import Json, Person, Socket
from tests.system.conftest import Pair

# The database is shared: others may have engines too.
NAME = f"Engines {uuid7()}"
IMAGE = "https://images.example.org/bernoulli.png"


async def test_two_users_converse_and_an_outsider_learns_nothing(pair: Pair) -> None:
    ada, linus, eve = [await pair.one.register(name) for name in ("Ada", "Linus", "Eve")]
    linus, eve = linus.at(pair.two), eve.at(pair.two)
    created = await ada.post("/conversations/", name=NAME, is_private=True)
    engines = created["id"]
    assert (created["creator"], created["role"]) == (ada.id, "admin")
    await ada.post(f"/conversations/{engines}/add_member/", user=linus.id)

    async with ada.listening() as to_ada, linus.listening() as to_linus, eve.listening() as to_eve:
        text = (await ada.say(engines, "a text", client_id="first")).good(201)
        image = (
            await ada.call("POST", f"/conversations/{engines}/messages/", {"message_type": "image", "media_url": IMAGE})
        ).good(201)
        for socket in (to_ada, to_linus):
            assert (await socket.expect("message.created"))["data"] == text
            assert (await socket.expect("message.created"))["data"] == image
        assert (text["seq"], image["seq"]) == (1, 2)
        assert await linus.page(engines) == [text, image]

        assert (await linus.get(f"/conversations/{engines}/"))["unread"] == 2
        read = (await linus.call("PUT", f"/conversations/{engines}/read/", {"seq": 2})).good()
        assert read == {"read_seq": 2, "unread": 0}
        await to_ada.expect("read", conversation=engines, user=linus.id, seq=2)

        await nothing_is_known(eve, engines, text["id"], to_eve)

        await ada.post(f"/conversations/{engines}/remove_member/", user=linus.id)
        await to_linus.expect("access.revoked", conversation=engines)
        heard = len(to_linus.received("message.created"))
        (await ada.say(engines, "between ourselves")).good(201)
        (await ada.call("DELETE", f"/conversations/{engines}/messages/{text['id']}/")).good(204)

        gone = (await to_ada.expect("message.deleted"))["data"]
        assert is_tombstone(gone, text)
        assert (await ada.page(engines))[0] == gone
        assert (await ada.at(pair.two).page(engines))[0] == gone
        changes = await ada.get(f"/conversations/{engines}/changes/", after=image["position"])
        assert [one["data"] for one in changes["items"] if one["type"] == "message.deleted"] == [gone]

        await to_linus.settle()
        await once_and_in_order(to_ada, [1, 2, 3])
        assert len(to_linus.received("message.created")) == heard == 2
        assert not to_linus.received("message.deleted")
        assert (await linus.call("GET", f"/conversations/{engines}/messages/")).problem.status == 404
        assert (await linus.say(engines, "still here?")).problem.status == 404


async def nothing_is_known(eve: Person, engines: str, message: str, to_eve: Socket) -> None:
    """For eve this conversation does not exist, on any path, and her socket has received nothing."""
    nowhere = str(uuid7())
    for method, path, body in (
        ("GET", "/conversations/{}/", None),
        ("GET", "/conversations/{}/members/", None),
        ("GET", "/conversations/{}/messages/", None),
        ("GET", "/conversations/{}/messages/" + message + "/", None),
        ("GET", "/conversations/{}/changes/", None),
        ("POST", "/conversations/{}/join/", None),
        ("POST", "/conversations/{}/messages/", {"message_type": "text", "text": "hello?"}),
    ):
        real = await eve.call(method, path.format(engines), body)
        none = await eve.call(method, path.format(nowhere), body)
        assert (real.status, real.content) == (none.status, none.content) == (404, none.content), path
    assert (await eve.get("/conversations/"))["items"] == []
    assert (await eve.get("/conversations/discover/", search=NAME))["items"] == []
    for conversation in (engines, nowhere):
        await to_eve.say("send", ref=conversation, conversation=conversation, message_type="text", text="hello?")
        await to_eve.say("read", ref=conversation, conversation=conversation, seq=1)
        await to_eve.say("typing", ref=conversation, conversation=conversation)
        await to_eve.say("resume", ref=conversation, conversations={conversation: 0})
    await asyncio.gather(*(to_eve.expect("caught_up") for _ in range(1)))
    await to_eve.expect("caught_up")
    received = {
        conversation: [
            {key: value for key, value in frame.items() if value != conversation}
            for frame in to_eve.frames
            if frame.get("ref") == conversation or frame.get("conversation") == conversation
        ]
        for conversation in (engines, nowhere)
    }
    assert received[engines] == received[nowhere]
    assert {frame["type"] for frame in to_eve.frames} == {"hello", "error", "access.revoked", "caught_up"}


async def once_and_in_order(socket: Socket, seqs: list[int]) -> None:
    created = socket.received("message.created")
    assert [frame["data"]["seq"] for frame in created] == seqs
    changes = [frame for frame in socket.frames if "prev" in frame]
    assert all(later["prev"] == earlier["position"] for earlier, later in pairwise(changes))


def is_tombstone(now: Json, before: Json) -> bool:
    kept = ("id", "seq", "sent_by", "message_type", "client_id", "sent_at")
    return (
        all(now[field] == before[field] for field in kept)
        and now["text"] == now["media_url"] == ""
        and now["deleted_at"] is not None
    )
