"""Plays one conversation on running processes and records every frame and view as sent.

What differs from run to run is named: ids by who or what they are, times, tokens.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from tests.support.client import Node, Person, Socket
from tests.support.published import Json

UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
UNIQUE: Final = re.compile(r'"(access|refresh|ticket|next|user_agent)":"[^"]*"')
MANY: Final = 51
"""Conversations: one more than `hello` carries."""


class Recorder:
    """Frames by type (the first of each), views by name; `known` is what ids are called."""

    def __init__(self) -> None:
        self.frames: dict[str, str] = {}
        self.views: dict[str, str] = {}
        self.known: dict[str, str] = {}

    def frame(self, frame: Json, name: str = "") -> None:
        self.frames.setdefault(name or frame["type"], self.plain(frame))

    def view(self, name: str, value: Any) -> None:
        self.views.setdefault(name, self.plain(value))

    def plain(self, value: Any) -> str:
        """JSON, two spaces deep, in the order it was sent, without what is new in each run."""
        text = msgspec.json.encode(value).decode()
        text = UUID.sub(lambda found: f"<{self.known.get(found[0], 'id')}>", text)
        text = TIME.sub("2026-05-04T09:00:00Z", text)
        text = UNIQUE.sub(r'"\1":"<\1>"', text)
        return msgspec.json.format(text, indent=2) + "\n"


async def play(node: Node, throttled: Node) -> Recorder:
    """`throttled` is a process where one message a minute is allowed."""
    recorder = Recorder()
    ada, grace, linus = [await _register(node, name, recorder) for name in ("Ada", "Grace", "Linus")]
    await _views_of_accounts(ada, recorder)
    room = await ada.converse(is_private=False)
    recorder.known[room] = "conversation"
    first = (await ada.say(room, "one", client_id="first")).good(201)
    recorder.known[first["id"]] = "message"
    recorder.view("Message", first)
    async with Socket.opened(node, ada.access) as hers, Socket.opened(node, grace.access) as his:
        recorder.frame(await hers.expect("hello"))
        await his.expect("hello")
        await _members(ada, grace, linus, room, hers, his, recorder)
        await _messages(ada, grace, room, hers, his, recorder)
        await _views_of_conversations(ada, room, first["id"], recorder)
        await _answers(ada, hers, room, recorder)
        await _endings(ada, grace, linus, room, hers, his, recorder)
    await _many(linus, recorder)
    await _throttled(grace.at(throttled), recorder)
    return recorder


async def _register(node: Node, first_name: str, recorder: Recorder) -> Person:
    person = await node.register(first_name)
    recorder.known[person.id] = first_name.lower()
    return person


async def _views_of_accounts(ada: Person, recorder: Recorder) -> None:
    profile = await ada.get("/me/")
    recorder.view("Profile", profile | {"email": "ada@example.org"})
    (login,) = (await ada.get("/sessions/"))["items"]
    recorder.known[login["id"]] = "login"
    recorder.view("Login", login)
    recorder.view("LoginPage", await ada.get("/sessions/"))
    recorder.view("PersonPage", await ada.get("/users/"))
    recorder.view("Ticket", await ada.post("/ws-ticket/"))


async def _members(
    ada: Person, grace: Person, linus: Person, room: str, hers: Socket, his: Socket, recorder: Recorder
) -> None:
    path = f"/conversations/{room}"
    await ada.post(f"{path}/add_member/", user=grace.id)
    recorder.frame(await hers.expect("member.added"))
    recorder.frame(await his.expect("conversation.created"))
    await linus.post(f"{path}/join/")
    recorder.frame(await hers.expect("member.joined"))
    await ada.post(f"{path}/make_admin/", user=grace.id)
    recorder.frame(await hers.expect("member.promoted"))
    await ada.post(f"{path}/remove_admin/", user=grace.id)
    recorder.frame(await hers.expect("member.demoted"))


async def _messages(ada: Person, grace: Person, room: str, hers: Socket, his: Socket, recorder: Recorder) -> None:
    await hers.say("send", ref=1, conversation=room, message_type="text", text="two", client_id="second", reply_to=1)
    ack = await hers.expect("ack")
    recorder.known[ack["data"]["id"]] = "second"
    recorder.frame(ack)
    recorder.frame(await his.expect("message.created"))
    message = f"/conversations/{room}/messages/{ack['data']['id']}"
    await his.say("read", ref="seen", conversation=room, seq=2)
    recorder.frame(await his.expect("ack", ref="seen"), "ack.read")
    recorder.frame(await hers.expect("read", user=grace.id))
    await his.say("typing", conversation=room)
    recorder.frame(await hers.expect("typing"))
    (await ada.call("PATCH", f"{message}/", {"text": "two, corrected"})).good(200)
    recorder.frame(await his.expect("message.updated"))
    (await ada.call("DELETE", f"{message}/")).good(204)
    recorder.frame(await his.expect("message.deleted"))
    (await ada.call("PATCH", f"/conversations/{room}/", {"name": "Engine room"})).good(200)
    recorder.frame(await hers.expect("conversation.updated"))


async def _views_of_conversations(ada: Person, room: str, message: str, recorder: Recorder) -> None:
    path = f"/conversations/{room}"
    listed = await ada.get("/conversations/")
    recorder.view("ConversationPage", listed)
    recorder.view("ConversationSummary", listed["items"][0])
    detail = await ada.get(f"{path}/")
    detail["members"].sort(key=lambda member: member["user"]["first_name"])
    recorder.view("ConversationDetail", detail)
    recorder.view("Member", detail["members"][1])
    recorder.view("Person", detail["members"][1]["user"])
    page = await ada.get(f"{path}/members/")
    page["items"].sort(key=lambda member: member["user"]["first_name"])
    recorder.view("MemberPage", page)
    recorder.view("ReadState", (await ada.call("PUT", f"{path}/read/", {"seq": 2})).good(200))
    recorder.view("MessagePage", await ada.get(f"{path}/messages/"))
    opened = await ada.get(f"{path}/messages/{message}/")
    recorder.view("MessageDetail", opened)
    recorder.view("SeenBy", opened["seen_by"])
    changes = await ada.get(f"{path}/changes/")
    recorder.view("ChangePage", changes)
    recorder.view("Change", changes["items"][0])
    (facts,) = [one["data"] for one in changes["items"] if one["type"].startswith("conversation.")]
    recorder.view("ConversationFacts", facts)
    refused = await ada.call("POST", f"{path}/messages/", {"message_type": "text", "text": " "})
    recorder.view("Problem", refused.body)


async def _answers(ada: Person, hers: Socket, room: str, recorder: Recorder) -> None:
    await hers.say("ping", ref=2)
    recorder.frame(await hers.expect("pong"))
    await hers.say("presence", ref="who", conversation=room)
    here = await hers.expect("ack", ref="who")
    assert list(here["data"]) == ["online"]
    # A process that has just begun does not know who is there, and says null.
    recorder.frame(here | {"data": {"online": [ada.id]}}, "ack.presence")
    await hers.say("auth", ref="fresh", token=ada.access)
    recorder.frame(await hers.expect("ack", ref="fresh"), "ack.auth")
    await hers.say("read", ref=3, conversation=room, seq=99)
    recorder.frame(await hers.expect("error"))
    await hers.say("resume", ref=4, conversations={room: 9})
    recorder.frame(await hers.expect("caught_up", ref=4))
    await hers.say("resume", ref=5, conversations={room: 999})
    recorder.frame(await hers.expect("reset"))
    await hers.expect("caught_up", ref=5)


async def _endings(
    ada: Person, grace: Person, linus: Person, room: str, hers: Socket, his: Socket, recorder: Recorder
) -> None:
    path = f"/conversations/{room}"
    await linus.post(f"{path}/leave_conversation/")
    recorder.frame(await hers.expect("member.left"))
    await ada.post(f"{path}/remove_member/", user=grace.id)
    recorder.frame(await hers.expect("member.removed"))
    recorder.frame(await his.expect("access.revoked"))
    (await ada.call("DELETE", f"{path}/")).good(204)
    recorder.frame(await hers.expect("conversation.deleted"))


async def _many(linus: Person, recorder: Recorder) -> None:
    for number in range(MANY):
        await linus.post("/conversations/", name=f"Number {number}", is_private=True)
    async with Socket.opened(linus.node, linus.access) as socket:
        recorder.frame(await socket.expect("conversations"))


async def _throttled(grace: Person, recorder: Recorder) -> None:
    room = await grace.converse()
    (await grace.say(room, "one")).good(201)
    async with Socket.opened(grace.node, grace.access) as socket:
        await socket.say("send", ref=6, conversation=room, message_type="text", text="two")
        frame = await socket.expect("throttled")
        assert 1 <= frame["retry_after"] <= 61
        recorder.frame(frame | {"retry_after": 60})
