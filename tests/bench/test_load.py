"""What the load generators count is what the server has answered. wrk is tried where it is installed."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
import pytest

from bench.load import NUMBER, Feed, request
from bench.processes import Failed

ROUNDS = [0.5, 1.0] if shutil.which("wrk") else [0.5]
"""Seconds: wrk plays whole ones, the client of our own the shorter ones."""


class Recorder(ThreadingHTTPServer):
    """Responds 201 and keeps the body; responds 429 to /busy. `first_takes`: seconds that the first response takes."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.bodies: list[bytes] = []
        self.first_takes = 0.0


class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Recorder

    def do_POST(self) -> None:
        time.sleep(self.server.first_takes)
        self.server.first_takes = 0.0
        self.server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(429 if self.path == "/busy" else 201)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Nothing."""


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    with Recorder() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join(5)


def feed(directory: Path, server: Recorder, path: str = "/") -> Feed:
    bodies = (
        b'{"who":"ada","client_id":"%b"}' % NUMBER,
        b'{"who":"linus","client_id":"%b"}' % NUMBER,
        b'{"who":"eve"}',
    )
    return Feed(directory / "feed", server.server_port, [request("POST", path, "token", body) for body in bodies])


@pytest.mark.parametrize("seconds", ROUNDS)
def test_every_answer_is_counted_and_every_number_is_another(
    seconds: float, tmp_path: Path, recorder: Recorder
) -> None:
    received = feed(tmp_path, recorder).play(clients=3, seconds=seconds)
    said = [msgspec.json.decode(body, type=dict[str, str]) for body in recorder.bodies]
    numbers = [one["client_id"] for one in said if "client_id" in one]
    assert (
        0 < received.requests <= len(said) <= received.requests + 3
    )  # one under way on each connection when time is up
    assert {one["who"] for one in said} == {"ada", "linus", "eve"}
    assert len(set(numbers)) == len(numbers)
    assert {len(number) for number in numbers} == {12}
    assert 0 < received.p50 <= received.p99


def test_a_short_round_lasts_until_something_is_answered(tmp_path: Path, recorder: Recorder) -> None:
    recorder.first_takes = 0.5
    received = feed(tmp_path, recorder).play(clients=1, seconds=0.1)
    assert received.requests >= 1
    assert received.seconds >= 0.5
    assert received.p99 >= 500


@pytest.mark.parametrize("seconds", ROUNDS)
def test_refusals_are_no_throughput(seconds: float, tmp_path: Path, recorder: Recorder) -> None:
    with pytest.raises(Failed, match="refused"):
        feed(tmp_path, recorder, "/busy").play(clients=2, seconds=seconds)


@pytest.mark.parametrize("seconds", ROUNDS)
def test_a_server_that_goes_away_is_no_throughput(seconds: float, tmp_path: Path, recorder: Recorder) -> None:
    recorder.shutdown()
    recorder.server_close()
    with pytest.raises(Failed):
        feed(tmp_path, recorder).play(clients=2, seconds=seconds)
