"""Processes that share a port report their sum, whichever a scrape reaches; those with a port each report their own."""

from __future__ import annotations

import http.client
import os
import signal
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final

import psutil
import pytest

from app.store.message_writer import CONCURRENT_BATCHES
from app.telemetry import shared_metrics
from app.wiring.runtime import POOL_SIZE
from tests.support.chat import alive, until
from tests.support.processes import Api, Processes, processes
from tests.support.servers import public_directory

REQUESTS: Final = 60
SCRAPES: Final = 30
LIVEZ: Final = 'chat_http_request_duration_seconds_count{method="GET",route="/livez",status="200"}'
POOL: Final = 'chat_database_pool_size{pool="requests"}'
OWN_POOL: Final = POOL_SIZE + CONCURRENT_BATCHES
STARTED: Final = "Application startup complete"


def fetch(api: Api, path: str, method: str = "GET") -> str:
    """Over a connection of its own: the kernel gives each to either process."""
    connection = http.client.HTTPConnection("127.0.0.1", api.port, timeout=10)
    try:
        connection.request(method, path)
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def metrics(api: Api) -> dict[str, float]:
    lines = [line.rpartition(" ") for line in fetch(api, "/metrics").splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


@pytest.fixture(scope="module")
def started(database_url: str, redis_url: str) -> Iterator[Processes]:
    with public_directory() as directory, processes(directory, database_url, redis_url) as found:
        yield found


@pytest.fixture(scope="module")
def pair(started: Processes) -> Api:
    """Two processes behind one port."""
    (api,) = started.apis({"WEB_CONCURRENCY": "2"})
    until(lambda: metrics(api).get(POOL) == 2 * OWN_POOL, 30, lambda: metrics(api).get(POOL))
    return api


def children(api: Api) -> list[psutil.Process]:
    """Its server processes, and not the tracker of shared memory that Python starts beside them."""
    found = alive(psutil.Process(api.process.pid).children())
    return [one for one in found if any("spawn_main" in word for word in one.cmdline())]


def test_two_processes_report_their_sum_and_counters_never_go_backwards(pair: Api) -> None:
    before = metrics(pair).get(LIVEZ, 0)
    seen: list[dict[str, float]] = []
    for number in range(REQUESTS):
        fetch(pair, "/livez")
        if number % (REQUESTS // SCRAPES) == 0:
            seen.append(metrics(pair))
    seen.append(metrics(pair))
    assert seen[-1][LIVEZ] == before + REQUESTS
    counters = [name for name in seen[-1] if name.partition("{")[0].endswith(("_total", "_count", "_bucket", "_sum"))]
    assert len(counters) > 20
    background = ("chat_tasks", "chat_mails", "chat_cache_upkeep")
    for earlier, later in pairwise(seen):
        fell = [name for name in counters if not name.startswith(background) and later[name] < earlier.get(name, 0)]
        assert fell == []
    assert all(one[POOL] == 2 * OWN_POOL for one in seen)


def test_a_process_that_is_killed_takes_no_counts_along_and_leaves_no_gauge(pair: Api) -> None:
    for _ in range(REQUESTS):
        fetch(pair, "/livez")
    before, started_before = metrics(pair)[LIVEZ], pair.said.count(STARTED)
    victim, other = children(pair)
    victim.send_signal(signal.SIGKILL)

    def replaced() -> bool:
        now = {one.pid for one in children(pair)}
        return len(now) == 2 and other.pid in now and victim.pid not in now

    until(replaced, 30, lambda: pair.said[-2_000:])
    # Until the new one has taken its first sample, a gauge that the victim left would look like it.
    until(lambda: pair.said.count(STARTED) == started_before + 1, 30, lambda: pair.said[-2_000:])
    until(lambda: metrics(pair)[POOL] == 2 * OWN_POOL, 30, lambda: metrics(pair)[POOL])
    assert metrics(pair)[LIVEZ] == before


def test_processes_started_separately_report_their_own(started: Processes, pair: Api) -> None:
    alone, second_pair = started.apis({}, {"WEB_CONCURRENCY": "2"})
    first = metrics(pair)[LIVEZ]
    for api, number in ((alone, 3), (second_pair, 5)):
        for _ in range(number):
            fetch(api, "/livez")
    assert metrics(alone)[LIVEZ] == 3
    assert metrics(alone)[POOL] == OWN_POOL
    assert metrics(second_pair)[LIVEZ] == 5
    assert metrics(pair)[LIVEZ] == first
    for api in (alone, second_pair):
        api.signal(signal.SIGTERM)
    for api in (alone, second_pair):
        api.process.wait(30)


def test_a_label_holds_a_route_and_no_path(pair: Api) -> None:
    for path in ("/api/v1/conversations/0199a7b0-7000-7000-8000-000000000001/", "/nowhere/at/all"):
        fetch(pair, path)
    fetch(pair, "/livez", method="PROPFIND")
    names = [name for name in metrics(pair) if name.startswith("chat_http_request_duration_seconds_count")]
    base = "chat_http_request_duration_seconds_count"
    assert base + '{method="GET",route="/api/v1/conversations/{conversation_id}",status="401"}' in names
    assert base + '{method="GET",route="unmatched",status="404"}' in names
    assert [name for name in names if 'method="other"' in name]
    assert not [name for name in names if "0199a7b0" in name or "nowhere" in name or "PROPFIND" in name]


def test_the_files_of_killed_processes_are_removed_and_those_of_running_ones_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_metrics, "MEMORY", tmp_path)
    abandoned, foreign = tmp_path / f"{shared_metrics.PREFIX}abandoned", tmp_path / "chat"
    for one in (abandoned, foreign):
        one.mkdir()
        (one / "counter_1.db").touch()
    with shared_metrics.directory() as running:
        long_ago = time.time() - 2 * shared_metrics.YOUNG_SECONDS
        for one in (abandoned, foreign, running):
            os.utime(one, (long_ago, long_ago))
        with shared_metrics.directory() as another:
            assert set(tmp_path.iterdir()) == {foreign, running, another}
    assert set(tmp_path.iterdir()) == {foreign}
