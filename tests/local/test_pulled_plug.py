"""An operator unplugs Redis and the API of a real `chat up`: each comes back, and a stop meanwhile leaves nothing."""

from __future__ import annotations

import http.client
import json
import signal
import socket
from contextlib import closing
from typing import Any

import psutil
import pytest

from app.development import plug
from app.local.processes import running_in
from tests.support.chat import ChatUp, alive, chat_up, commands, until
from tests.support.servers import public_directory

pytestmark = [pytest.mark.machine, pytest.mark.timeout(240)]
PATIENCE = 60
ADDRESS, PASSWORD = "root@example.org", "a good long one"


class Operated:
    """A running chat, and its operator's access token."""

    def __init__(self, chat: ChatUp, access: str) -> None:
        self.chat = chat
        self.access = access

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        return call(self.chat.port, method, path, body, self.access)

    def pull(self, part: str, seconds: int) -> tuple[int, Any]:
        return self.call("POST", "/development/plug/", {"part": part, "seconds": seconds})

    def degraded(self) -> list[str] | None:
        """What `/readyz` says is away; None if the API does not answer or is not ready."""
        status, body = call(self.chat.port, "GET", "/readyz", prefix="")
        return body.get("degraded", []) if status == 200 else None

    def listens(self) -> bool:
        with closing(socket.socket()) as connection:
            return connection.connect_ex(("127.0.0.1", self.chat.port)) == 0

    def valkeys(self) -> list[psutil.Process]:
        return running_in(self.chat.data_dir / "valkey", "valkey-server")


def call(
    port: int, method: str, path: str, body: Any = None, access: str = "", prefix: str = "/api/v1"
) -> tuple[int, Any]:
    """Status and body; 0 if there is no answer."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {access}"} if access else {})
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, prefix + path, None if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        answer = response.read()
        return response.status, json.loads(answer) if answer else {}
    except (OSError, http.client.HTTPException):
        return 0, {}
    finally:
        connection.close()


def with_operator(chat: ChatUp) -> Operated:
    made = chat.beside("create-operator", ADDRESS, typed=f"{PASSWORD}\n")
    assert made.returncode == 0, made.stderr
    status, body = call(chat.port, "POST", "/login/", {"email": ADDRESS, "password": PASSWORD})
    assert status == 200, body
    return Operated(chat, body["access"])


def test_an_unplugged_part_comes_back_and_a_stop_meanwhile_leaves_nothing() -> None:
    with public_directory() as directory:
        with chat_up(directory / "data") as running:
            running.wait_ready()
            operated = with_operator(running)
            assert operated.call("GET", "/development/") == (200, {"plug": ["redis", "api"]})
            redis_stops_and_comes_back(operated)
            api_stops_and_comes_back(operated)
            stops_during_an_outage(operated, "api")
        with chat_up(directory / "data") as running:
            running.wait_ready()
            stops_during_an_outage(with_operator(running), "redis")


def redis_stops_and_comes_back(operated: Operated) -> None:
    assert operated.degraded() == []
    (before,) = operated.valkeys()
    assert operated.pull("redis", 5) == (202, {"part": "redis", "seconds": 5})
    until(lambda: operated.degraded() == ["redis"], PATIENCE)
    assert operated.valkeys() == []
    status, body = operated.pull("api", 5)
    assert (status, body["code"]) == (409, "unplugged")
    status, made = operated.call("POST", "/conversations/", {"name": "Without Redis"})
    assert status == 201, made
    until(lambda: plug.requested(operated.chat.data_dir) is None, PATIENCE)
    (after,) = operated.valkeys()
    assert after.pid != before.pid
    until(lambda: operated.degraded() == [], PATIENCE)
    until(lambda: "chat: Redis is plugged in again" in operated.chat.said, PATIENCE)
    assert "chat: Redis is unplugged for 5 s, as an operator requested" in operated.chat.said
    assert "exited unexpectedly" not in operated.chat.said


def api_stops_and_comes_back(operated: Operated) -> None:
    (before,) = operated.chat.children("api")
    assert operated.pull("api", 5) == (202, {"part": "api", "seconds": 5})
    until(lambda: not operated.listens(), PATIENCE)
    assert alive([before]) == []
    until(lambda: operated.degraded() == [], PATIENCE)
    (after,) = operated.chat.children("api")
    assert after.pid != before.pid
    assert operated.call("GET", "/development/")[0] == 200
    assert plug.requested(operated.chat.data_dir) is None


def stops_during_an_outage(operated: Operated, part: plug.Part) -> None:
    assert operated.pull(part, 30)[0] == 202
    until(lambda: operated.degraded() == ["redis"] if part == "redis" else not operated.listens(), PATIENCE)
    # The API that waits for its plug is a process like any other.
    until(lambda: bool(operated.chat.children("api")), PATIENCE)
    family = operated.chat.family()
    assert len(family) > 5
    operated.chat.stop(signal.SIGINT)
    assert operated.chat.process.returncode == 0
    assert commands(family) == []
    assert operated.valkeys() == []
    assert not (operated.chat.data_dir / plug.FILE).exists()
