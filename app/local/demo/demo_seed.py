"""`chat demo`: creates sample users and conversations through the public API, as any client would.

It is idempotent: existing users log in, conversations are found by name, and messages carry a `client_id`. In a
terminal the users then go on talking (`live_talk`).
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple
from urllib.parse import quote

from app.domain.welcome.first_link import OPERATOR_ADDRESS
from app.local.demo import live_talk
from app.local.demo.demo_data import CONVERSATIONS, DIRECT, PASSWORD, PEOPLE, READ_UP_TO
from app.local.demo.demo_users import DemoFailed, DemoUser
from app.local.demo.talk_lines import VISITED


class Filled(NamedTuple):
    """The users by first name, and the ids of the groups by name."""

    people: dict[str, DemoUser]
    groups: dict[str, str]


def run(port: int, *, live: bool = False) -> int:
    """Fills the chat on `port` and prints the logins; `live`: then keeps the users talking until Ctrl-C. Returns the
    exit code."""
    try:
        filled = fill(port)
    except DemoFailed as error:
        print(f"chat: The demo failed: {error}. It needs a chat with open registration, without REQUIRE_ACTIVATION.")
        return 1
    except OSError as error:
        print(f"chat: The demo failed: {error}. Is a chat running on port {port}?")
        return 1
    print(_next_steps(port, list(filled.people.values())), flush=True)
    if live:
        live_talk.run(filled.people, filled.groups)
    return 0


def fill(port: int) -> Filled:
    """Raises DemoFailed, and OSError if no chat is there."""
    people = {name: DemoUser(port, name, last) for name, last in PEOPLE}
    groups = {name: _create_conversation(people, name, spec) for name, spec in CONVERSATIONS.items()}
    for first, other, lines in DIRECT:
        created = people[first].request("POST", "/conversations/", {"kind": "direct", "user": people[other].id})
        _send_lines(people, created["id"], lines)
    _invite_operator(people, groups)
    return Filled(people, groups)


def _next_steps(port: int, people: list[DemoUser]) -> str:
    """Returns the logins, and what to do with them."""
    chat = f"http://127.0.0.1:{port}"
    login = json.dumps({"email": people[0].email, "password": PASSWORD})
    token = (
        f"$(curl -s {chat}/api/v1/login/ -H 'Content-Type: application/json' -d '{login}'"
        """ | python3 -c 'import json, sys; print(json.load(sys.stdin)["access"])')"""
    )
    emails = "\n".join(f"  {person.email}" for person in people)
    return f"""\
The chat at {chat} now has demo users. Their password is: {PASSWORD}
{emails}

List the conversations of {people[0].first_name}:

  curl -s {chat}/api/v1/conversations/ -H "Authorization: Bearer {token}" | python3 -m json.tool

In a browser: open {chat}/docs, run POST /api/v1/login/ with one of these logins, press Authorize, and paste the
`access` of the response. Then GET /api/v1/conversations/ shows Engine room, Reading club and Lunch; Linus, Katherine
and Alan have unread messages. The WebSocket is described at {chat}/docs/socket."""


def _create_conversation(people: dict[str, DemoUser], name: str, spec: dict[str, Any]) -> str:
    creator = people[spec["creator"]]
    found = creator.request("GET", f"/conversations/?search={quote(name)}")["items"]
    existing = next((item for item in found if item["name"] == name), None)
    created = existing or creator.request("POST", "/conversations/", {"name": name, "is_private": spec["private"]})
    if not existing:
        for member in spec["members"]:
            creator.request("POST", f"/conversations/{created['id']}/add_member/", {"user": people[member].id})
        for admin in spec.get("admins", ()):
            creator.request("POST", f"/conversations/{created['id']}/make_admin/", {"user": people[admin].id})
    _send_lines(people, created["id"], spec["lines"])
    for person in (spec["creator"], *spec["members"]):
        unread = READ_UP_TO.get(person, 0)
        latest = people[person].request("GET", f"/conversations/{created['id']}/")["last_seq"]
        people[person].request("PUT", f"/conversations/{created['id']}/read/", {"seq": max(0, latest - unread)})
    return str(created["id"])


def _send_lines(people: dict[str, DemoUser], conversation: str, lines: list[tuple[str, str]]) -> None:
    for number, (person, text) in enumerate(lines, start=1):
        message: dict[str, Any] = {"message_type": "text", "text": text, "client_id": f"demo-{number}"}
        if text.startswith("https://"):
            message = {"message_type": "image", "media_url": text, "client_id": f"demo-{number}"}
        if text.startswith("^"):  # a reply to the previous line
            message |= {"text": text[1:].strip(), "reply_to": number - 1}
        people[person].request("POST", f"/conversations/{conversation}/messages/", message)


def _invite_operator(people: dict[str, DemoUser], groups: dict[str, str]) -> None:
    """Adds the first operator, if there is one, so that the talk appears in that user's list."""
    for name in VISITED:
        creator = people[CONVERSATIONS[name]["creator"]]
        found = creator.request("GET", f"/users/?search={quote(OPERATOR_ADDRESS)}")["items"]
        for operator in found:
            path = f"/conversations/{groups[name]}/add_member/"
            creator.request("POST", path, {"user": operator["id"]}, expected=(403, 409))
