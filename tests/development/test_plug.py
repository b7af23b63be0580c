"""A request for an outage is one whole file: the first wins, and no part waits for ever."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from app.development import plug
from app.development.plug import LATE_SECONDS, PartOutage


def test_the_first_request_wins_and_leaves_one_file(tmp_path: Path) -> None:
    first, second = PartOutage(part="api", seconds=3), PartOutage(part="redis", seconds=4)
    assert plug.requested(tmp_path) is None
    assert plug.request(tmp_path, first)
    assert not plug.request(tmp_path, second)
    assert plug.requested(tmp_path) == first
    assert [file.name for file in tmp_path.iterdir()] == [plug.FILE]
    plug.clear(tmp_path)
    plug.clear(tmp_path)
    assert plug.request(tmp_path, second)
    assert plug.requested(tmp_path) == second


def test_of_many_requests_at_once_one_succeeds(tmp_path: Path) -> None:
    accepted: list[bool] = []
    begin = threading.Barrier(8)

    def request() -> None:
        begin.wait()
        accepted.append(plug.request(tmp_path, PartOutage(part="api", seconds=1)))

    threads = [threading.Thread(target=request) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(accepted) == [False] * 7 + [True]


def test_a_part_waits_while_it_is_unplugged(tmp_path: Path) -> None:
    assert plug.request(tmp_path, PartOutage(part="api", seconds=30))
    waiting = threading.Thread(target=plug.wait_until_plugged, args=(tmp_path, "api"))
    waiting.start()
    waiting.join(0.3)
    assert waiting.is_alive()
    plug.clear(tmp_path)
    waiting.join(10)
    assert not waiting.is_alive()


def test_another_part_does_not_wait(tmp_path: Path) -> None:
    plug.wait_until_plugged(tmp_path, "api")
    assert plug.request(tmp_path, PartOutage(part="redis", seconds=30))
    plug.wait_until_plugged(tmp_path, "api")
    assert plug.requested(tmp_path) is not None


def test_a_request_that_was_left_behind_holds_nothing(tmp_path: Path) -> None:
    past = time.time() - 3 - LATE_SECONDS - 1
    assert plug.request(tmp_path, PartOutage(part="api", seconds=3, requested_at=past))
    plug.wait_until_plugged(tmp_path, "api")
    assert plug.requested(tmp_path) is not None


def test_an_unreadable_file_is_no_request(tmp_path: Path) -> None:
    for content in (b"", b'{"part": "postgres", "seconds": 3, "requested_at": 1}', b"{}"):
        (tmp_path / plug.FILE).write_bytes(content)
        assert plug.requested(tmp_path) is None
