"""`chat live` prints the figures of `GET /ops/live`."""

from __future__ import annotations

import json

import msgspec

from app.settings import Settings
from tests.support.command import chat


def test_without_an_api_process_the_servers_are_shown(settings: Settings, empty_redis_url: str) -> None:
    # Processes of other tests report to the database that they share.
    unused = msgspec.structs.replace(settings, cache_redis_url=f"{empty_redis_url.rpartition('/')[0]}/14")
    shown = chat(unused, "live")
    assert shown.returncode == 0, shown.stderr
    lines = {line.split()[0]: line.split(maxsplit=1)[1] for line in shown.stdout.splitlines() if len(line.split()) > 1}
    assert lines["api"] == "0 processes"
    assert lines["sends"] == "0.0 a second, 0 throttled"
    assert lines["delivery"] == "p50 –, p99 –, of 0 measured"
    assert lines["postgres"] == "up; 0 of 0 connections are in use"
    assert lines["redis"] == "up, the broker up; 0 failures"
    assert lines["upkeep"].split()[0] == "0"
    facts = json.loads(chat(unused, "live", "--json").stdout)
    assert (facts["complete"], facts["sockets"], facts["postgres"]["up"]) == (True, 0, True)


def test_a_server_that_does_not_answer_is_named_and_the_exit_code_is_1(settings: Settings) -> None:
    gone = msgspec.structs.replace(settings, redis_url="redis://127.0.0.1:1/0", cache_redis_url="redis://127.0.0.1:1/0")
    shown = chat(gone, "live")
    assert shown.returncode == 1
    assert "redis     DOWN, the broker DOWN" in shown.stdout
    assert "0 processes; Redis, where they report, is silent" in shown.stdout
    assert "workers   unknown" in shown.stdout
