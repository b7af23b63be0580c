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
            _converse(people, name, spec)
        for one, other, lines in DIRECT:
            made = people[one].ask("POST", "/conversations/", {"kind": "direct", "user": people[other].id})
            _say(people, made["id"], lines)
    except DemoFailed as error:
        print(f"chat: The demo could not be played: {error}. It needs a chat without REQUIRE_ACTIVATION.")
        return 1
    except OSError as error:
        print(f"chat: The demo could not be played: {error}. Is a chat running on port {port}?")
        return 1
    print(f"The chat at http://127.0.0.1:{port} now has demo users. Their password is: {PASSWORD}")
    for person in people.values():
        print(f"  {person.email}")
    return 0


def _converse(people: dict[str, DemoUser], name: str, spec: dict[str, Any]) -> None:
    creator = people[spec["creator"]]
    mine = creator.ask("GET", f"/conversations/?search={name.replace(' ', '%20')}")["items"]
    known = next((item for item in mine if item["name"] == name), None)
    made = known or creator.ask("POST", "/conversations/", {"name": name, "is_private": spec["private"]})
    if not known:
        for member in spec["members"]:
            creator.ask("POST", f"/conversations/{made['id']}/add_member/", {"user": people[member].id})
        for admin in spec.get("admins", ()):
            creator.ask("POST", f"/conversations/{made['id']}/make_admin/", {"user": people[admin].id})
    _say(people, made["id"], spec["lines"])
    for person in (spec["creator"], *spec["members"]):
        back = READ_UP_TO.get(person, 0)
        latest = people[person].ask("GET", f"/conversations/{made['id']}/")["last_seq"]
        people[person].ask("PUT", f"/conversations/{made['id']}/read/", {"seq": max(0, latest - back)})


def _say(people: dict[str, DemoUser], conversation: str, lines: list[tuple[str, str]]) -> None:
    for number, (person, text) in enumerate(lines, start=1):
        message: dict[str, Any] = {"message_type": "text", "text": text, "client_id": f"demo-{number}"}
        if text.startswith("https://"):
            message = {"message_type": "image", "media_url": text, "client_id": f"demo-{number}"}
        if text.startswith("^"):  # a reply to the previous line
            message |= {"text": text[1:].strip(), "reply_to": number - 1}
        people[person].ask("POST", f"/conversations/{conversation}/messages/", message)


class DemoUser:
    """A user of the demo, logged in."""

    def __init__(self, port: int, first_name: str, last_name: str) -> None:
        self.port = port
        self.email = f"{first_name.lower()}@example.org"
        self.access = ""
        names = {"first_name": first_name, "last_name": last_name}
        self.ask("POST", "/users/", {"email": self.email, "password": PASSWORD, **names}, fine=(409,))
        login = self.ask("POST", "/login/", {"email": self.email, "password": PASSWORD})
        self.access, self.id = login["access"], login["user"]["id"]

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None, fine: tuple[int, ...] = ()) -> Any:
        """Sends a request; retries 429 and 503 after `Retry-After`. Returns the body for a success and for the
        statuses in `fine`. Raises DemoFailed for any other status."""
        deadline = time.monotonic() + READY_TIMEOUT_SECONDS
        while True:
            status, headers, answer = self._ask(method, path, body)
            if status < 300 or status in fine:
                return answer
            wait = float(headers.get("Retry-After") or 1)
            if status not in (429, 503) or time.monotonic() + wait > deadline:
                raise DemoFailed(f"{method} {path} was answered with {status} {answer.get('detail', '')}".rstrip(". "))
            time.sleep(wait)

    def _ask(self, method: str, path: str, body: dict[str, Any] | None) -> tuple[int, Any, Any]:
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
            raise DemoFailed(f"{method} {path} got no proper answer") from error
        finally:
            connection.close()
