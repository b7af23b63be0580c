"""Logins: how a login storm affects other requests, and whether response times reveal which accounts exist."""

from __future__ import annotations

import http.client
import itertools
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from bench.load import Feed, request
from bench.measures import Measure, Plan
from bench.processes import Failed
from bench.rows.sends import spread
from bench.stage import Stage

STORM = 40
SENDERS = 10
PAUSE = 0.05
"""Seconds between two sends of one sender: 200 sends a second in total."""

PASSWORD = "correct horse battery staple"
METRIC = "chat_event_loop_delay_seconds_bucket"

_numbers = itertools.count(time.time_ns())


def address() -> str:
    return f"bench.{next(_numbers)}@example.org"


class Caller:
    """One connection to the API."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)

    def post(self, path: str, **body: str) -> int:
        headers = {"content-type": "application/json"}
        self._connection.request("POST", f"/api/v1{path}/", msgspec.json.encode(body), headers)
        answer = self._connection.getresponse()
        answer.read()
        return answer.status

    def get(self, path: str) -> str:
        self._connection.request("GET", path)
        return self._connection.getresponse().read().decode()

    def register(self) -> str:
        email = address()
        status = self.post("/users", email=email, password=PASSWORD, first_name="Ada", last_name="Bench")
        if status != 201:
            raise Failed(f"Registering was answered {status}.")
        return email


@contextmanager
def login_storm_p99_ms(stage: Stage) -> Iterator[Plan]:
    """Measures the lag of the API's event loop during 40 concurrent, repeated logins and 200 sends/s."""
    caller = Caller(stage.api.port)
    accounts = [caller.register() for _ in range(STORM)]
    bodies = [msgspec.json.encode({"email": email, "password": PASSWORD}) for email in accounts]
    storm = stage.feed("logins", stage.api, [request("POST", "/api/v1/login/", body=body) for body in bodies])
    sends = spread(stage)

    def delayed(logins: Feed | None) -> Measure:
        def measure(seconds: float) -> float:
            with sends.playing(clients=SENDERS, pause=PAUSE):
                time.sleep(0.2)
                before = _buckets(caller)
                if logins is None:
                    time.sleep(seconds)
                else:
                    logins.play(clients=stage.pace.clients(STORM), seconds=seconds)
                return _percentile(before, _buckets(caller), 0.99) * 1_000

        return measure

    yield Plan("ms", {"logins": delayed(storm)}, {"sends_alone": delayed(None)}, least=False)


@contextmanager
def login_tells(stage: Stage) -> Iterator[Plan]:
    """Compares known and unknown accounts: the longer median response time over the shorter. 1 reveals nothing."""
    caller = Caller(stage.api.port)

    def compared(path: str, status: int, **body: str) -> Measure:
        def measure(_seconds: float) -> float:
            # Use each account once: the tenth attempt on one would be throttled.
            known = [caller.register() for _ in range(stage.pace.tries)]
            times: dict[bool, list[float]] = {True: [], False: []}
            for email in known:
                for exists in (True, False):
                    began = time.perf_counter()
                    answered = caller.post(path, email=email if exists else address(), **body)
                    times[exists].append(time.perf_counter() - began)
                    if answered != status:
                        raise Failed(f"{path} was answered {answered}.")
            medians = sorted(statistics.median(of) for of in times.values())
            return medians[1] / medians[0]

        return measure

    subjects = {
        "login": compared("/login", 401, password="not the password"),
        "forgot": compared("/forgot-password", 204),
    }
    yield Plan("×", subjects, least=False, once=True)


def _buckets(caller: Caller) -> list[tuple[float, float]]:
    """Returns pairs (upper bound in seconds, cumulative count), ascending."""
    lines = [line for line in caller.get("/metrics").splitlines() if line.startswith(METRIC)]
    if not lines:
        raise Failed("The API reports no delay of its event loop.")
    pairs = [line.partition('le="')[2].partition('"} ') for line in lines]
    return [(float(bound), float(count)) for bound, _, count in pairs]


def _percentile(before: list[tuple[float, float]], after: list[tuple[float, float]], share: float) -> float:
    """Returns the percentile in seconds, by linear interpolation within a bucket."""
    counts = [(bound, later - earlier) for (bound, later), (_, earlier) in zip(after, before, strict=True)]
    wanted, low, below = counts[-1][1] * share, 0.0, 0.0
    for bound, count in counts:
        if count >= wanted:
            return low + (bound - low) * (wanted - below) / (count - below) if bound != float("inf") else low
        low, below = bound, count
    raise Failed("Nothing was measured.")
