"""`chat demo`: creates sample users and conversations through the public API, as any client would.

It is idempotent: existing users log in, conversations are found by name, and messages carry a `client_id`.
"""

from __future__ import annotations

import http.client
import json
import time
from typing import Any, Final

from app.local.demo_data import CONVERSATIONS, DIRECT, PASSWORD, PEOPLE, READ_UP_TO

READY_TIMEOUT_SECONDS: Final = 90


class DemoFailed(Exception):
    """The chat gave a response that the demo cannot use; the message is a sentence."""


def run(port: int) -> int:
    try:
        people = {name: DemoUser(port, name, last) for name, last in PEOPLE}
        for name, spec in CONVERSATIONS.items():
            _create_conversation(people, name, spec)
        for first, other, lines in DIRECT:
            created = people[first].request("POST", "/conversations/", {"kind": "direct", "user": people[other].id})
            _send_lines(people, created["id"], lines)
    except DemoFailed as error:
        print(f"chat: The demo failed: {error}. It needs a chat with open registration, without REQUIRE_ACTIVATION.")
        return 1
    except OSError as error:
        print(f"chat: The demo failed: {error}. Is a chat running on port {port}?")
        return 1
    print(_next_steps(port, list(people.values())))
    return 0


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


def _create_conversation(people: dict[str, DemoUser], name: str, spec: dict[str, Any]) -> None:
    creator = people[spec["creator"]]
    found = creator.request("GET", f"/conversations/?search={name.replace(' ', '%20')}")["items"]
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


def _send_lines(people: dict[str, DemoUser], conversation: str, lines: list[tuple[str, str]]) -> None:
    for number, (person, text) in enumerate(lines, start=1):
        message: dict[str, Any] = {"message_type": "text", "text": text, "client_id": f"demo-{number}"}
        if text.startswith("https://"):
            message = {"message_type": "image", "media_url": text, "client_id": f"demo-{number}"}
        if text.startswith("^"):  # a reply to the previous line
            message |= {"text": text[1:].strip(), "reply_to": number - 1}
        people[person].request("POST", f"/conversations/{conversation}/messages/", message)


class DemoUser:
    """A user of the demo, logged in."""

    def __init__(self, port: int, first_name: str, last_name: str) -> None:
        self.port = port
        self.first_name = first_name
        self.email = f"{first_name.lower()}@example.org"
        self.access = ""
        names = {"first_name": first_name, "last_name": last_name}
        self.request("POST", "/users/", {"email": self.email, "password": PASSWORD, **names}, expected=(409,))
        login = self.request("POST", "/login/", {"email": self.email, "password": PASSWORD})
        self.access, self.id = login["access"], login["user"]["id"]

    def request(
        self, method: str, path: str, body: dict[str, Any] | None = None, expected: tuple[int, ...] = ()
    ) -> Any:
        """Sends a request; retries 429 and 503 after `Retry-After`. Returns the body for a success and for the
        statuses in `expected`. Raises DemoFailed for any other status."""
        deadline = time.monotonic() + READY_TIMEOUT_SECONDS
        while True:
            status, headers, answer = self._request(method, path, body)
            if status < 300 or status in expected:
                return answer
            wait = float(headers.get("Retry-After") or 1)
            if status not in (429, 503) or time.monotonic() + wait > deadline:
                raise DemoFailed(f"{method} {path} returned {status} {answer.get('detail', '')}".rstrip(". "))
            time.sleep(wait)

    def _request(self, method: str, path: str, body: dict[str, Any] | None) -> tuple[int, Any, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self.access:
            headers["Authorization"] = f"Bearer {self.access}"
        try:
            connection.request(method, f"/api/v1{path}", json.dumps(body) if body is not None else None, headers)
            response = connection.getresponse()
            answer = response.read()
            return response.status, response.headers, json.loads(answer) if answer else {}
        except (http.client.HTTPException, ValueError) as error:
            raise DemoFailed(f"{method} {path} returned an invalid response") from error
        finally:
            connection.close()
