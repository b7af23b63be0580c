"""People of the demo over HTTP, as any client would be: registered, logged in, and patient with throttles."""

from __future__ import annotations

import http.client
import json
import time
from typing import Any, Final

from app.local.demo.demo_data import PASSWORD

READY_TIMEOUT_SECONDS: Final = 90


class DemoFailed(Exception):
    """The chat gave a response that the demo cannot use; the message is a sentence."""


class DemoUser:
    """A user of the demo, logged in."""

    def __init__(self, port: int, first_name: str, last_name: str) -> None:
        self.port = port
        self.first_name = first_name
        self.email = f"{first_name.lower()}@example.org"
        self.access = ""
        names = {"first_name": first_name, "last_name": last_name}
        self.request("POST", "/users/", {"email": self.email, "password": PASSWORD, **names}, expected=(409,))
        self.id = self.log_in()

    def log_in(self) -> str:
        """Begins a login and returns the user's id. Raises DemoFailed, OSError."""
        login = self.request("POST", "/login/", {"email": self.email, "password": PASSWORD})
        self.access = login["access"]
        return str(login["user"]["id"])

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
